#include "files/vocab_reader.h"

#include <cmath>

#include "base/quote.h"
#include "files/tokenizer_json.h"

namespace ogas {
namespace {

// Entries of a vocabulary or of its list of merges: several times the largest in use.
constexpr uint64_t kMaxEntries = 1U << 20;

Result<TokenizerModel> read_model(const Metadata& metadata) {
  const auto name = OGAS_TRY(metadata.get_string("tokenizer.ggml.model"));
  if (name == "gpt2") return TokenizerModel::byte_level_bpe;
  if (name == "llama") return TokenizerModel::sentencepiece_bpe;
  return fail(ErrorCode::unsupported, "key 'tokenizer.ggml.model' is {}; ogas knows gpt2 and llama", in_quotes(name));
}

Result<StringList> read_tokens(const Metadata& metadata) {
  StringList tokens;
  for (const std::string& token : OGAS_TRY(metadata.get_strings("tokenizer.ggml.tokens", kMaxEntries)))
    tokens.push_back(token);
  if (tokens.empty()) return fail(ErrorCode::bad_file, "key 'tokenizer.ggml.tokens' is empty");
  return tokens;
}

// "left right" each; a token of spaces would make it ambiguous, but byte-level tokens spell a space as another letter.
Result<StringList> read_merges(const Metadata& metadata) {
  constexpr std::string_view kKey = "tokenizer.ggml.merges";
  StringList merges;
  for (const std::string_view merge : OGAS_TRY(metadata.get_strings(kKey, kMaxEntries))) {
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos)
      return fail(ErrorCode::bad_file, "key '{}' has {} for merge {}; two tokens with a space between are expected",
                  kKey, in_quotes(merge), merges.size() / 2);
    merges.push_back(merge.substr(0, space));
    merges.push_back(merge.substr(space + 1));
  }
  return merges;
}

Result<std::vector<TokenKind>> read_kinds(const Metadata& metadata, size_t n_tokens) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  if (!metadata.contains(kKey)) return std::vector<TokenKind>(n_tokens, TokenKind::normal);
  const auto numbers = OGAS_TRY(metadata.get_ints(kKey, kMaxEntries));
  if (numbers.size() != n_tokens)
    return fail(ErrorCode::bad_file, "key '{}' has {} elements; the vocabulary has {} tokens", kKey, numbers.size(),
                n_tokens);
  std::vector<TokenKind> kinds;
  kinds.reserve(n_tokens);
  for (const int64_t number : numbers) {
    if (number < 1 || number > 6)
      return fail(ErrorCode::bad_file, "key '{}' has {} for token {}; 1 to 6 are expected", kKey, number, kinds.size());
    kinds.push_back(static_cast<TokenKind>(number));
  }
  return kinds;
}

Result<std::vector<float>> read_scores(const Metadata& metadata, size_t n_tokens) {
  constexpr std::string_view kKey = "tokenizer.ggml.scores";
  if (!metadata.contains(kKey)) return std::vector<float>();
  auto scores = OGAS_TRY(metadata.get_floats(kKey, kMaxEntries));
  if (scores.size() != n_tokens)
    return fail(ErrorCode::bad_file, "key '{}' has {} elements; the vocabulary has {} tokens", kKey, scores.size(),
                n_tokens);
  for (size_t id = 0; id < scores.size(); ++id)
    if (std::isnan(scores[id])) return fail(ErrorCode::bad_file, "key '{}' has no number for token {}", kKey, id);
  return scores;
}

Result<std::optional<TokenId>> read_id(const Metadata& metadata, std::string_view name, size_t n_tokens) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  if (!metadata.contains(key)) return std::nullopt;
  const auto id = OGAS_TRY(metadata.get_uint(key));
  // Some converters write 2^32 - 1, or an id past the end, for a token the model does not have.
  if (id >= n_tokens) return std::nullopt;
  return static_cast<TokenId>(id);
}

// One id or several; none where the key is missing. Ids that the vocabulary lacks are left out, as in read_id().
Result<std::vector<TokenId>> read_ids(const Metadata& metadata, std::string_view key, size_t n_tokens) {
  constexpr uint64_t kMax = 64;
  const auto found = metadata.all().find(key);
  if (found == metadata.all().end()) return std::vector<TokenId>();
  const auto ids = found->second.type == MetaType::array
                       ? OGAS_TRY(metadata.get_ints(key, kMax))
                       : std::vector<int64_t>{static_cast<int64_t>(OGAS_TRY(metadata.get_uint(key)))};
  std::vector<TokenId> result;
  for (const int64_t id : ids)
    if (id >= 0 && static_cast<size_t>(id) < n_tokens) result.push_back(static_cast<TokenId>(id));
  return result;
}

// GGUF has one EOS. If a file has several, as an array or in a further list as Ollama writes it, all of them count.
Result<> read_ends(const Metadata& metadata, Vocab& vocab) {
  vocab.ends = OGAS_TRY(read_ids(metadata, "tokenizer.ggml.eos_token_id", vocab.tokens.size()));
  if (!vocab.ends.empty()) vocab.eos = vocab.ends.front();
  const auto more = OGAS_TRY(read_ids(metadata, "tokenizer.ggml.eos_token_ids", vocab.tokens.size()));
  vocab.ends.insert(vocab.ends.end(), more.begin(), more.end());
  return {};
}

// The publisher's list in generation_config.json, or else in config.json.
Result<std::vector<TokenId>> read_hf_ends(const Metadata& metadata, size_t n_tokens) {
  constexpr std::string_view kGeneration = "generation_config.eos_token_id";
  return read_ids(metadata, metadata.contains(kGeneration) ? kGeneration : "eos_token_id", n_tokens);
}

}  // namespace

Result<Vocab> read_vocab(const Metadata& metadata) {
  if (!metadata.contains("tokenizer.ggml.model"))
    return fail(ErrorCode::unsupported, "the model file has no tokenizer (key 'tokenizer.ggml.model' is missing)");
  Vocab vocab;
  vocab.model = OGAS_TRY(read_model(metadata));
  vocab.pre = OGAS_TRY(metadata.get_string_or("tokenizer.ggml.pre", "default"));
  vocab.tokens = OGAS_TRY(read_tokens(metadata));
  const size_t n_tokens = vocab.tokens.size();
  vocab.kinds = OGAS_TRY(read_kinds(metadata, n_tokens));
  vocab.scores = OGAS_TRY(read_scores(metadata, n_tokens));
  if (vocab.model == TokenizerModel::byte_level_bpe) vocab.merges = OGAS_TRY(read_merges(metadata));
  for (size_t id = 0; id < n_tokens; ++id)
    if (vocab.kinds[id] == TokenKind::control || vocab.kinds[id] == TokenKind::user_defined)
      vocab.added.push_back({.id = static_cast<TokenId>(id), .is_special = vocab.kinds[id] == TokenKind::control});
  vocab.bos = OGAS_TRY(read_id(metadata, "bos", n_tokens));
  OGAS_TRY(read_ends(metadata, vocab));
  vocab.eot = OGAS_TRY(read_id(metadata, "eot", n_tokens));
  vocab.eom = OGAS_TRY(read_id(metadata, "eom", n_tokens));
  vocab.unknown = OGAS_TRY(read_id(metadata, "unknown", n_tokens));
  vocab.padding = OGAS_TRY(read_id(metadata, "padding", n_tokens));
  const bool is_sentencepiece = vocab.model == TokenizerModel::sentencepiece_bpe;
  vocab.add_bos = OGAS_TRY(metadata.get_bool_or("tokenizer.ggml.add_bos_token", is_sentencepiece));
  vocab.add_eos = OGAS_TRY(metadata.get_bool_or("tokenizer.ggml.add_eos_token", false));
  vocab.add_space_prefix = OGAS_TRY(metadata.get_bool_or("tokenizer.ggml.add_space_prefix", is_sentencepiece));
  vocab.fuse_unknown = is_sentencepiece;
  return vocab;
}

Result<Vocab> read_vocab(const TensorFile& file) {
  if (file.naming() == Naming::gguf) return read_vocab(file.metadata());
  auto vocab = open_tokenizer_json(file.path());
  if (!vocab && vocab.error().code == ErrorCode::not_found)
    return fail(ErrorCode::unsupported, "the model's folder has no tokenizer.json");
  if (vocab) vocab->ends = OGAS_TRY(read_hf_ends(file.metadata(), vocab->tokens.size()));
  return vocab;
}

}  // namespace ogas
