#include "files/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/quote.h"
#include "files/json_node.h"
#include "files/tokenizer_json_rules.h"

namespace ogas {
namespace {

// Ids of a vocabulary: several times the largest in use.
constexpr int64_t kMaxTokens = 1 << 20;

bool is_byte_name(std::string_view token) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return token.size() == 6 && token.starts_with("<0x") && is_hex(token[3]) && is_hex(token[4]) && token[5] == '>';
}

// The tokens by id, while they are gathered from model.vocab and added_tokens.
class TokensById {
 public:
  Result<> insert(std::string_view token, int64_t id, std::string_view path) {
    const auto idx = static_cast<size_t>(id);
    if (idx >= tokens_.size()) {
      tokens_.resize(idx + 1);
      kinds_.resize(idx + 1, TokenKind::unused);
    }
    if (kinds_[idx] != TokenKind::unused && tokens_[idx] != token)
      return fail(ErrorCode::bad_file, "{} gives {} the id {}, which {} has", path, in_quotes(token), id,
                  in_quotes(tokens_[idx]));
    tokens_[idx] = token;
    kinds_[idx] = TokenKind::normal;
    return {};
  }
  void reserve(size_t n) {
    tokens_.reserve(n);
    kinds_.reserve(n);
  }
  void set_kind(size_t id, TokenKind kind) { kinds_[id] = kind; }
  const std::vector<std::string_view>& tokens() const { return tokens_; }
  const std::vector<TokenKind>& kinds() const { return kinds_; }

 private:
  std::vector<std::string_view> tokens_;
  std::vector<TokenKind> kinds_;
};

std::optional<TokenId> id_of(const StringList& tokens, std::string_view token) {
  for (size_t id = 0; id < tokens.size(); ++id)
    if (tokens[id] == token) return static_cast<TokenId>(id);
  return {};
}

Result<> read_model_vocab(const JsonNode& model, bool has_bytes, TokensById& tokens) {
  const JsonNode node = OGAS_TRY(model.get("vocab"));
  const auto members = OGAS_TRY(node.object());
  tokens.reserve(std::min<size_t>(members.size(), static_cast<size_t>(kMaxTokens)));
  for (const auto [token, value] : members) {
    int64_t id = 0;
    if (value.get(id) != simdjson::SUCCESS || id < 0 || id >= kMaxTokens)
      return fail(ErrorCode::bad_file, "{} gives {} the id {}; integers from 0 to {} are expected", node.path(),
                  in_quotes(token), in_quotes(simdjson::minify(value)), kMaxTokens - 1);
    OGAS_TRY(tokens.insert(token, id, node.path()));
    if (has_bytes && is_byte_name(token)) tokens.set_kind(static_cast<size_t>(id), TokenKind::byte);
  }
  return {};
}

Result<> read_added_token(const JsonNode& node, TokensById& tokens, std::vector<AddedToken>& added) {
  const auto content = OGAS_TRY(OGAS_TRY(node.get("content")).string());
  AddedToken token;
  token.id = static_cast<TokenId>(OGAS_TRY(OGAS_TRY(node.get("id")).integer(0, kMaxTokens - 1)));
  token.is_special = OGAS_TRY(node.boolean_or("special", false));
  token.normalized = OGAS_TRY(node.boolean_or("normalized", !token.is_special));
  token.takes_left = OGAS_TRY(node.boolean_or("lstrip", false));
  token.takes_right = OGAS_TRY(node.boolean_or("rstrip", false));
  token.whole_word = OGAS_TRY(node.boolean_or("single_word", false));
  OGAS_TRY(tokens.insert(content, token.id, node.path()));
  tokens.set_kind(static_cast<size_t>(token.id), token.is_special ? TokenKind::control : TokenKind::user_defined);
  added.push_back(token);
  return {};
}

// "left right" or ["left", "right"] each.
Result<> read_merges(const JsonNode& model, StringList& merges) {
  const JsonNode node = OGAS_TRY(model.get("merges"));
  const auto elements = OGAS_TRY(node.array());
  if (elements.size() > static_cast<size_t>(kMaxTokens))
    return fail(ErrorCode::bad_file, "{} has {} elements; at most {} are expected", node.path(), elements.size(),
                kMaxTokens);
  merges.reserve(2 * elements.size(), 16 * elements.size());
  for (const simdjson::dom::element element : elements) {
    std::string_view text;
    simdjson::dom::array pair;
    if (element.get(text) == simdjson::SUCCESS) {
      const size_t space = text.find(' ');
      if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
        merges.push_back(text.substr(0, space));
        merges.push_back(text.substr(space + 1));
        continue;
      }
    } else if (element.get(pair) == simdjson::SUCCESS && pair.size() == 2) {
      std::string_view right;
      if (pair.at(0).get(text) == simdjson::SUCCESS && pair.at(1).get(right) == simdjson::SUCCESS) {
        merges.push_back(text);
        merges.push_back(right);
        continue;
      }
    }
    return fail(ErrorCode::bad_file, "{}[{}] is {}; two tokens are expected", node.path(), merges.size() / 2,
                in_quotes(simdjson::minify(element)));
  }
  return {};
}

Result<> check_model(const JsonNode& model) {
  const auto type = OGAS_TRY(model.type());
  if (type != "BPE" && !type.empty())
    return fail(ErrorCode::unsupported, "{}.type is {}; ogas knows BPE", model.path(), in_quotes(type));
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto text = OGAS_TRY(model.find(key)); text && !OGAS_TRY(text->string()).empty())
      return fail(ErrorCode::unsupported, "{} is {}; ogas knows only none", text->path(),
                  in_quotes(OGAS_TRY(text->string())));
  return {};
}

Result<> read_model(const JsonNode& root, Vocab& vocab) {
  const JsonNode model = OGAS_TRY(root.get("model"));
  OGAS_TRY(check_model(model));
  vocab.rules->ignore_merges = OGAS_TRY(model.boolean_or("ignore_merges", false));
  vocab.fuse_unknown = OGAS_TRY(model.boolean_or("fuse_unk", false));
  const bool has_bytes = OGAS_TRY(model.boolean_or("byte_fallback", false));
  TokensById tokens;
  OGAS_TRY(read_model_vocab(model, has_bytes && vocab.model == TokenizerModel::sentencepiece_bpe, tokens));
  if (const auto added = OGAS_TRY(root.find("added_tokens")))
    for (const JsonNode& node : OGAS_TRY(added->elements())) OGAS_TRY(read_added_token(node, tokens, vocab.added));
  OGAS_TRY(read_merges(model, vocab.merges));

  size_t n_bytes = 0;
  for (const std::string_view token : tokens.tokens()) n_bytes += token.size();
  vocab.tokens.reserve(tokens.tokens().size(), n_bytes);
  for (const std::string_view token : tokens.tokens()) vocab.tokens.push_back(token);
  vocab.kinds = tokens.kinds();
  if (const auto unknown = OGAS_TRY(model.find("unk_token"))) {
    vocab.unknown = id_of(vocab.tokens, OGAS_TRY(unknown->string()));
    if (!vocab.unknown)
      return fail(ErrorCode::bad_file, "{} is {}, which is not in the vocabulary", unknown->path(),
                  in_quotes(OGAS_TRY(unknown->string())));
  }
  return {};
}

// The one token a template puts at one side of the text.
Result<std::optional<TokenId>> read_side(const std::vector<std::string_view>& names, const JsonNode& processor,
                                         const StringList& tokens) {
  if (names.empty()) return std::nullopt;
  if (names.size() > 1)
    return fail(ErrorCode::unsupported, "{}.single puts {} tokens at one side of the text; ogas knows one",
                processor.path(), names.size());
  const JsonNode specials = OGAS_TRY(processor.get("special_tokens"));
  const JsonNode ids = OGAS_TRY(OGAS_TRY(specials.get(names[0])).get("ids"));
  const auto elements = OGAS_TRY(ids.elements());
  if (elements.size() != 1)
    return fail(ErrorCode::unsupported, "{} has {} elements; ogas knows one", ids.path(), elements.size());
  return static_cast<TokenId>(OGAS_TRY(elements[0].integer(0, static_cast<int64_t>(tokens.size()) - 1)));
}

Result<> read_template(const JsonNode& processor, Vocab& vocab) {
  std::vector<std::string_view> before;
  std::vector<std::string_view> after;
  bool seen_text = false;
  const JsonNode single = OGAS_TRY(processor.get("single"));
  for (const JsonNode& piece : OGAS_TRY(single.elements())) {
    if (OGAS_TRY(piece.find("Sequence"))) {
      if (seen_text) return fail(ErrorCode::unsupported, "{} names the text twice", single.path());
      seen_text = true;
    } else {
      const JsonNode special = OGAS_TRY(piece.get("SpecialToken"));
      (seen_text ? after : before).push_back(OGAS_TRY(OGAS_TRY(special.get("id")).string()));
    }
  }
  if (const auto id = OGAS_TRY(read_side(before, processor, vocab.tokens))) {
    vocab.bos = id;
    vocab.add_bos = true;
  }
  if (const auto id = OGAS_TRY(read_side(after, processor, vocab.tokens))) {
    vocab.eos = id;
    vocab.add_eos = true;
  }
  return {};
}

Result<> read_post_processor(const JsonNode& node, Vocab& vocab) {
  const auto type = OGAS_TRY(node.type());
  if (type == "ByteLevel") return {};  // moves offsets, which nobody asks for here
  if (type == "TemplateProcessing") return read_template(node, vocab);
  if (type != "Sequence")
    return fail(ErrorCode::unsupported, "{}.type is {}; ogas knows ByteLevel, TemplateProcessing and Sequence",
                node.path(), in_quotes(type));
  for (const JsonNode& part : OGAS_TRY(OGAS_TRY(node.get("processors")).elements()))
    OGAS_TRY(read_post_processor(part, vocab));
  return {};
}

// A token by its text: a string, or the `content` of an object. Some files name tokens that the model lacks.
Result<std::optional<TokenId>> read_named_token(const nlohmann::json& config, const std::string& key,
                                                const Vocab& vocab) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return std::nullopt;
  const nlohmann::json& content = found->is_object() && found->contains("content") ? found->at("content") : *found;
  if (!content.is_string())
    return fail(ErrorCode::bad_file, "$.{} is neither a string nor an object with a content", key);
  return id_of(vocab.tokens, content.get_ref<const std::string&>());
}

Result<bool> read_flag(const nlohmann::json& config, const std::string& key, bool fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return fallback;
  if (!found->is_boolean()) return fail(ErrorCode::bad_file, "$.{} is not a bool", key);
  return found->get<bool>();
}

// By nlohmann-json: simdjson 3.0 refuses integers of more than 64 bits, and such files write 10^30 for "no limit".
Result<> read_config(std::string_view text, Vocab& vocab) {
  const auto config = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return fail(ErrorCode::bad_file, "this is not a JSON object");
  if (const auto id = OGAS_TRY(read_named_token(config, "bos_token", vocab))) vocab.bos = id;
  if (const auto id = OGAS_TRY(read_named_token(config, "eos_token", vocab))) vocab.eos = id;
  if (const auto id = OGAS_TRY(read_named_token(config, "pad_token", vocab))) vocab.padding = id;
  vocab.add_bos = OGAS_TRY(read_flag(config, "add_bos_token", vocab.add_bos));
  vocab.add_eos = OGAS_TRY(read_flag(config, "add_eos_token", vocab.add_eos));
  return {};
}

}  // namespace

Result<Vocab> read_tokenizer_json(std::string_view json, std::string_view config) {
  const auto document = OGAS_TRY(JsonDocument::parse(json));
  const JsonNode root = document.root();
  Vocab vocab;
  vocab.rules.emplace();
  OGAS_TRY(read_text_rules(root, vocab));
  OGAS_TRY(read_model(root, vocab));
  if (const auto processor = OGAS_TRY(root.find("post_processor"))) OGAS_TRY(read_post_processor(*processor, vocab));
  if (!config.empty()) {
    const auto read = read_config(config, vocab);
    if (!read) return fail_within(read.error(), "tokenizer_config.json");
  }
  return vocab;
}

Result<Vocab> open_tokenizer_json(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto file = std::filesystem::is_directory(path, ignored) ? path / "tokenizer.json" : path;
  const auto map = OGAS_TRY(MappedFile::open(file));
  const auto config_path = file.parent_path() / "tokenizer_config.json";
  std::string config;
  if (is_there(config_path)) config = OGAS_TRY(read_file(config_path, size_t{64} << 20));
  auto vocab = read_tokenizer_json({reinterpret_cast<const char*>(map.bytes().data()), map.bytes().size()}, config);
  if (!vocab) return fail_within(vocab.error(), "{}", file.string());
  return vocab;
}

}  // namespace ogas
