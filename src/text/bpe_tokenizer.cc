#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <charconv>

#include "base/quote.h"
#include "base/unicode.h"

namespace ogas {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";
// Far more than there are in any; so that ids and what is added to them stay within 31 bits.
constexpr size_t kMaxTokens = size_t{1} << 24;

// Appends the bytes of a token spelled in byte letters; a character that is not a byte letter is appended unchanged.
void append_from_letters(std::string_view letters, std::string& bytes) {
  const size_t start = bytes.size();
  for (std::string_view rest = letters; !rest.empty();) {
    if (rest[0] > ' ' && rest[0] <= '~') {
      bytes += rest[0];
      rest.remove_prefix(1);
      continue;
    }
    const Utf8Step step = next_utf8(rest);
    const auto byte = step.kind == Utf8Kind::valid ? byte_of_letter(step.code_point) : std::nullopt;
    if (!byte) {
      bytes.resize(start);
      bytes += letters;
      return;
    }
    bytes += static_cast<char>(*byte);
    rest.remove_prefix(step.length);
  }
}

// "<0x0A>" is 10; anything else is nothing.
std::optional<uint8_t> byte_of_name(std::string_view name) {
  if (name.size() != 6 || !name.starts_with("<0x") || name[5] != '>') return {};
  uint8_t byte = 0;
  const auto [end, error] = std::from_chars(name.data() + 3, name.data() + 5, byte, 16);
  if (error != std::errc() || end != name.data() + 5) return {};
  return byte;
}

std::string with_spaces(std::string_view marked) {
  std::string text(marked);
  for (size_t at = text.find(kSpaceMark); at != std::string::npos; at = text.find(kSpaceMark, at + 1))
    text.replace(at, kSpaceMark.size(), " ");
  return text;
}

// The bytes of a character, also where it is damaged.
size_t character_length(std::string_view text) { return next_utf8(text).length; }

// The number of bytes at the start that are not valid UTF-8.
size_t invalid_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Step step = next_utf8(text.substr(at));
    if (step.kind == Utf8Kind::valid) break;
    at += step.length;
  }
  return at;
}

}  // namespace

struct BpeTokenizer::Encoding {
  EncodeOptions options;
  const char* origin;  // the whole text, as the caller gave it
  std::vector<TokenId> ids;
  std::vector<TokenId> symbols;
  MergeTable::Scratch scratch;

  // For a stretch of the whole text.
  SpecialTokens special_in(std::string_view stretch) const {
    return {options.parse_special, options.input, static_cast<size_t>(stretch.data() - origin)};
  }
};

Result<std::unique_ptr<Tokenizer>> BpeTokenizer::create(Vocab vocab) {
  std::unique_ptr<BpeTokenizer> tokenizer(new BpeTokenizer(std::move(vocab)));
  OGAS_TRY(tokenizer->check_vocab());
  OGAS_TRY(tokenizer->read_rules());
  tokenizer->spell_tokens();
  tokenizer->index_tokens();
  tokenizer->index_added();
  OGAS_TRY(tokenizer->index_bytes());
  if (tokenizer->is_byte_level() || !tokenizer->vocab_.merges.empty())
    OGAS_TRY(tokenizer->index_merges());
  else
    OGAS_TRY(tokenizer->index_scores());
  tokenizer->cuts_at_spaces_ = tokenizer->can_cut_at_spaces();
  tokenizer->merges_whole_ = std::make_unique<std::atomic<uint8_t>[]>(tokenizer->vocab_.tokens.size());
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

Result<> BpeTokenizer::check_vocab() const {
  const size_t n_tokens = vocab_.tokens.size();
  if (n_tokens > kMaxTokens)
    return fail(ErrorCode::bad_file, "the vocabulary has {} tokens; at most {} are expected", n_tokens, kMaxTokens);
  if (vocab_.kinds.size() != n_tokens)
    return fail(ErrorCode::bad_file, "the vocabulary has {} tokens and {} token types", n_tokens, vocab_.kinds.size());
  if (!vocab_.scores.empty() && vocab_.scores.size() != n_tokens)
    return fail(ErrorCode::bad_file, "the vocabulary has {} tokens and {} scores", n_tokens, vocab_.scores.size());
  if (vocab_.merges.size() % 2 != 0) return fail(ErrorCode::bad_file, "the last merge has one token; two are expected");
  const auto check = [&](TokenId id, std::string_view what) -> Result<> {
    if (id >= 0 && static_cast<size_t>(id) < n_tokens) return {};
    return fail(ErrorCode::bad_file, "{} is token {}; the vocabulary has {}", what, id, n_tokens);
  };
  for (const AddedToken& token : vocab_.added) OGAS_TRY(check(token.id, "an added token"));
  for (const auto& id : {vocab_.bos, vocab_.eos, vocab_.eot, vocab_.eom, vocab_.unknown, vocab_.padding})
    if (id) OGAS_TRY(check(*id, "a token with a role (BOS, EOS, EOT, EOM, unknown, padding)"));
  return {};
}

Result<> BpeTokenizer::read_rules() {
  if (vocab_.rules) {
    rules_ = *vocab_.rules;
  } else if (is_byte_level()) {
    rules_ = OGAS_TRY(rules_named(vocab_.pre));
  } else {
    if (vocab_.add_space_prefix)
      rules_.normalizer.push_back({.kind = TextStep::Kind::prepend, .what = std::string(kSpaceMark), .with = {}});
    rules_.normalizer.push_back({.kind = TextStep::Kind::replace, .what = " ", .with = std::string(kSpaceMark)});
  }
  pre_tokenizer_ = OGAS_TRY(PreTokenizer::create(rules_.splits));
  return {};
}

// Control and user-defined tokens are written as they read (those that are looked for in normalized text: as that
// reads); all others in byte letters, or with marks for spaces.
void BpeTokenizer::spell_tokens() {
  spelling_.reserve(vocab_.tokens.size(), 8 * vocab_.tokens.size());
  std::map<size_t, std::string> normalized;
  std::string bytes;
  for (const AddedToken& token : vocab_.added) {
    if (!token.normalized || rules_.normalizer.empty()) continue;
    const std::string_view content = normalized_content(token, bytes);
    normalized[static_cast<size_t>(token.id)] =
        !is_byte_level() && vocab_.marks_spaces ? with_spaces(content) : std::string(content);
  }
  for (size_t id = 0; id < vocab_.tokens.size(); ++id) {
    const std::string_view token = vocab_.tokens[id];
    const TokenKind kind = vocab_.kinds[id];
    if (const auto found = normalized.find(id); found != normalized.end()) {
      spelling_.push_back(found->second);
    } else if (kind == TokenKind::control || kind == TokenKind::user_defined) {
      spelling_.push_back(token);
    } else if (is_byte_level()) {
      bytes.clear();
      append_from_letters(token, bytes);
      spelling_.push_back(bytes);
    } else if (const auto byte = byte_of_name(token); byte && kind == TokenKind::byte) {
      const char c = static_cast<char>(*byte);
      spelling_.push_back({&c, 1});
    } else {
      spelling_.push_back(vocab_.marks_spaces ? with_spaces(token) : token);
    }
  }
}

void BpeTokenizer::index_tokens() {
  index_.reserve(vocab_.tokens.size());
  for (size_t id = 0; id < vocab_.tokens.size(); ++id) {
    const TokenKind kind = vocab_.kinds[id];
    const bool is_text =
        kind != TokenKind::control && (is_byte_level() || (kind != TokenKind::byte && kind != TokenKind::unknown));
    if (!is_text || spelled()[id].empty()) continue;
    index_.insert(spelled(), static_cast<TokenId>(id));
    longest_token_ = std::max(longest_token_, spelled()[id].size());
  }
}

void BpeTokenizer::index_added() {
  std::string storage;
  for (const AddedToken& token : vocab_.added) {
    if (token.normalized)
      added_normalized_.insert(normalized_content(token, storage), token);
    else
      added_raw_.insert(vocab_.tokens[static_cast<size_t>(token.id)], token);
  }
}

std::string_view BpeTokenizer::normalized_content(const AddedToken& token, std::string& storage) const {
  const std::string_view content = vocab_.tokens[static_cast<size_t>(token.id)];
  if (valid_utf8_prefix(content) != content.size()) return content;
  return apply_steps(rules_.normalizer, content, TextStart::nothing, storage);
}

Result<> BpeTokenizer::index_bytes() {
  byte_ids_.fill(-1);
  if (is_byte_level()) {
    // A tokenizer.json names the token for bytes that have none, or wants them left out. GGUF files carry an unknown
    // token that is not meant for this (often <|endoftext|>): bytes are left out there.
    const TokenId missing = vocab_.rules && vocab_.unknown ? *vocab_.unknown : -1;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      const TokenId id = find_token({&c, 1});
      byte_ids_[byte] = id < 0 ? missing : id;
    }
    return {};
  }
  for (size_t id = 0; id < vocab_.tokens.size(); ++id)
    if (vocab_.kinds[id] == TokenKind::byte)
      if (const auto byte = byte_of_name(vocab_.tokens[id])) byte_ids_[*byte] = static_cast<TokenId>(id);
  const auto missing = std::ranges::find(byte_ids_, -1);
  if (missing != byte_ids_.end() && !vocab_.unknown)
    return fail(ErrorCode::bad_file, "the vocabulary has no token <0x{:02X}>, nor one for unknown",
                missing - byte_ids_.begin());
  return {};
}

// A merge that names or makes no token can never apply and means a damaged file. One that makes a control token is left
// out: typed letters must not become one.
Result<> BpeTokenizer::index_merges() {
  TokenIndex controls;
  controls.reserve(vocab_.added.size());
  for (const AddedToken& token : vocab_.added)
    if (vocab_.kinds[static_cast<size_t>(token.id)] == TokenKind::control) controls.insert(spelled(), token.id);
  const size_t n_merges = vocab_.merges.size() / 2;
  merges_.reserve(n_merges);
  std::string pair;
  for (size_t rank = 0; rank < n_merges; ++rank) {
    const std::string_view written[] = {vocab_.merges[2 * rank], vocab_.merges[2 * rank + 1]};
    pair.clear();
    size_t middle = 0;
    if (is_byte_level()) {
      append_from_letters(written[0], pair);
      middle = pair.size();
      append_from_letters(written[1], pair);
    } else {
      pair.append(written[0]).append(written[1]);
      middle = written[0].size();
    }
    const std::string_view texts[] = {std::string_view(pair).substr(0, middle), std::string_view(pair).substr(middle),
                                      pair};
    const TokenId ids[] = {find_token(texts[0]), find_token(texts[1]), find_token(texts[2])};
    if (std::ranges::min(ids) >= 0) {
      merges_.insert(ids[0], ids[1], static_cast<uint32_t>(rank), ids[2]);
      continue;
    }
    for (size_t idx = 0; idx < 3; ++idx)
      if (ids[idx] < 0 && controls.find(spelled(), texts[idx]) < 0)
        return fail(ErrorCode::bad_file, "merge {}, {} with {}, names or makes a token that is not in the vocabulary",
                    rank, in_quotes(written[0]), in_quotes(written[1]));
  }
  vocab_.merges = {};
  return {};
}

TokenId BpeTokenizer::find_symbol(std::string_view text) const {
  if (const TokenId id = find_token(text); id >= 0 || part_ids_.empty()) return id;
  const auto part = part_ids_.find(text);
  return part == part_ids_.end() ? -1 : part->second;
}

// SentencePiece merges whichever neighbours make the token with the highest score: that is every way to cut a token in
// two symbols, ranked by the token's score.
Result<> BpeTokenizer::index_scores() {
  struct Pair {
    TokenId left, right, result;
  };
  constexpr size_t kMaxTokenBytes = 1024;  // several times the longest known; looking at all cuts is quadratic
  const size_t n_tokens = vocab_.tokens.size();
  if (vocab_.scores.empty())
    return fail(ErrorCode::bad_file, "a SentencePiece vocabulary needs scores or merges, and has neither");
  std::vector<float> ranks(vocab_.scores);
  std::ranges::sort(ranks, std::greater());
  ranks.erase(std::ranges::unique(ranks).begin(), ranks.end());

  const auto is_mergeable = [&](size_t id) {
    return find_token(vocab_.tokens[id]) == static_cast<TokenId>(id) &&
           character_length(vocab_.tokens[id]) < vocab_.tokens[id].size();
  };
  for (size_t id = 0; id < n_tokens; ++id) {
    if (vocab_.tokens[id].empty() || !is_mergeable(id)) continue;
    if (vocab_.tokens[id].size() > kMaxTokenBytes)
      return fail(ErrorCode::bad_file, "token {} has {} bytes; at most {} are expected", id, vocab_.tokens[id].size(),
                  kMaxTokenBytes);
    for (std::string_view rest = vocab_.tokens[id]; !rest.empty();) {
      const std::string_view character = rest.substr(0, character_length(rest));
      rest.remove_prefix(character.size());
      if (find_symbol(character) >= 0) continue;
      part_ids_.emplace(character, static_cast<TokenId>(n_tokens + parts_.size()));
      parts_.push_back(character);
    }
  }
  std::vector<Pair> pairs;
  for (size_t id = 0; id < n_tokens; ++id) {
    const std::string_view token = vocab_.tokens[id];
    if (token.empty() || !is_mergeable(id)) continue;
    for (size_t at = character_length(token); at < token.size(); at += character_length(token.substr(at))) {
      const Pair pair = {find_symbol(token.substr(0, at)), find_symbol(token.substr(at)), static_cast<TokenId>(id)};
      if (pair.left >= 0 && pair.right >= 0) pairs.push_back(pair);
    }
  }
  merges_.reserve(pairs.size());
  for (const Pair& pair : pairs) {
    const float score = vocab_.scores[static_cast<size_t>(pair.result)];
    const auto rank = std::ranges::lower_bound(ranks, score, std::greater()) - ranks.begin();
    merges_.insert(pair.left, pair.right, static_cast<uint32_t>(rank), pair.result);
  }
  return {};
}

// If space marks occur in tokens only at their start, nothing merges across the start of a word, and each word can be
// merged alone.
bool BpeTokenizer::can_cut_at_spaces() const {
  if (is_byte_level() || rules_.ignore_merges || find_token(kSpaceMark) < 0) return false;
  for (size_t id = 0; id < vocab_.tokens.size(); ++id) {
    std::string_view token = vocab_.tokens[id];
    if (vocab_.kinds[id] == TokenKind::control) continue;
    while (token.starts_with(kSpaceMark)) token.remove_prefix(kSpaceMark.size());
    if (token.find(kSpaceMark) != std::string_view::npos) return false;
  }
  return true;
}

std::string_view BpeTokenizer::bytes_of(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= spelling_.size()) return {};
  return spelling_[static_cast<size_t>(id)];
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text, EncodeOptions options) const {
  Encoding encoding{.options = options, .origin = text.data(), .ids = {}, .symbols = {}, .scratch = {}};
  encoding.ids.reserve(text.size() / 4 + 2);
  if (options.add_special && vocab_.add_bos && vocab_.bos) encoding.ids.push_back(*vocab_.bos);
  TextStart start = TextStart::nothing;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t n_valid = valid_utf8_prefix(rest);
    if (n_valid > 0) encode_valid(rest.substr(0, n_valid), start, encoding);
    rest.remove_prefix(n_valid);
    const size_t n_invalid = invalid_prefix(rest);
    if (n_invalid > 0) put_unmerged(rest.substr(0, n_invalid), encoding.ids);
    rest.remove_prefix(n_invalid);
    start = TextStart::text;
  }
  if (options.add_special && vocab_.add_eos && vocab_.eos) encoding.ids.push_back(*vocab_.eos);
  return std::move(encoding.ids);
}

void BpeTokenizer::encode_valid(std::string_view text, TextStart start, Encoding& encoding) const {
  added_raw_.cut(
      text, encoding.special_in(text),
      [&](std::string_view chunk, size_t from) { encode_chunk(chunk, from == 0 ? start : TextStart::token, encoding); },
      [&](TokenId id) { encoding.ids.push_back(id); });
}

void BpeTokenizer::encode_chunk(std::string_view text, TextStart start, Encoding& encoding) const {
  std::string storage;
  const std::string_view normalized = apply_steps(rules_.normalizer, text, start, storage);
  const auto encode_rest = [&](std::string_view chunk, size_t from) {
    std::string prepared;
    const TextStart chunk_start = from == 0 ? start : TextStart::token;
    encode_prepared(apply_steps(rules_.preparation, chunk, chunk_start, prepared), encoding);
  };
  // After normalization changed the text, offsets of the user's input are no longer known.
  SpecialTokens special = encoding.special_in(text);
  if (normalized != text && special.meets_input(text.size())) special.wanted = false;
  added_normalized_.cut(normalized, special, encode_rest, [&](TokenId id) { encoding.ids.push_back(id); });
}

void BpeTokenizer::encode_prepared(std::string_view text, Encoding& encoding) const {
  const auto encode_uncut = [&](std::string_view piece) { encode_piece(piece, encoding); };
  const auto encode_words = [&](std::string_view piece) {
    size_t begin = 0;
    for (size_t at = piece.find(kSpaceMark); at != std::string_view::npos;) {
      if (at > begin) encode_piece(piece.substr(begin, at - begin), encoding);
      begin = at;
      while (piece.substr(at).starts_with(kSpaceMark)) at += kSpaceMark.size();
      at = piece.find(kSpaceMark, at);
    }
    encode_piece(piece.substr(begin), encoding);
  };
  if (cuts_at_spaces_)
    pre_tokenizer_.split(text, encode_words);
  else
    pre_tokenizer_.split(text, encode_uncut);
}

void BpeTokenizer::encode_piece(std::string_view piece, Encoding& encoding) const {
  const TokenId whole = piece.size() <= longest_token_ ? find_token(piece) : -1;
  if (whole < 0) return merge_piece(piece, encoding);
  if (rules_.ignore_merges) return encoding.ids.push_back(whole);
  constexpr uint8_t kYes = 1;
  constexpr uint8_t kNo = 2;
  auto& known = merges_whole_[static_cast<size_t>(whole)];
  const uint8_t answer = known.load(std::memory_order_relaxed);
  if (answer == kYes) return encoding.ids.push_back(whole);
  const size_t n_before = encoding.ids.size();
  merge_piece(piece, encoding);
  if (answer == 0) {
    const bool is_whole = encoding.ids.size() == n_before + 1 && encoding.ids.back() == whole;
    known.store(is_whole ? kYes : kNo, std::memory_order_relaxed);
  }
}

void BpeTokenizer::merge_piece(std::string_view piece, Encoding& encoding) const {
  auto& symbols = encoding.symbols;
  symbols.clear();
  if (is_byte_level()) {
    for (const char c : piece)
      if (const TokenId id = byte_ids_[static_cast<uint8_t>(c)]; id >= 0) symbols.push_back(id);
  } else {
    while (!piece.empty()) {
      const size_t length = character_length(piece);
      put_character(piece.substr(0, length), symbols);
      piece.remove_prefix(length);
    }
  }
  merges_.merge(symbols, encoding.scratch);
  if (parts_.empty()) {
    encoding.ids.insert(encoding.ids.end(), symbols.begin(), symbols.end());
    return;
  }
  for (const TokenId id : symbols) {
    const auto idx = static_cast<size_t>(id);
    if (idx < vocab_.tokens.size())
      encoding.ids.push_back(id);
    else
      put_unmerged(parts_[idx - vocab_.tokens.size()], encoding.ids);
  }
}

void BpeTokenizer::put_character(std::string_view character, std::vector<TokenId>& symbols) const {
  const TokenId id = find_symbol(character);
  if (id >= 0)
    symbols.push_back(id);
  else
    put_unmerged(character, symbols);
}

// As bytes, or as unknown where bytes are missing.
void BpeTokenizer::put_unmerged(std::string_view bytes, std::vector<TokenId>& ids) const {
  if (is_byte_level()) {
    for (const char c : bytes)
      if (const TokenId id = byte_ids_[static_cast<uint8_t>(c)]; id >= 0) ids.push_back(id);
    return;
  }
  const bool known = std::ranges::all_of(bytes, [&](char c) { return byte_ids_[static_cast<uint8_t>(c)] >= 0; });
  if (known) {
    for (const char c : bytes) ids.push_back(byte_ids_[static_cast<uint8_t>(c)]);
  } else if (!vocab_.fuse_unknown || ids.empty() || ids.back() != *vocab_.unknown) {
    ids.push_back(*vocab_.unknown);
  }
}

}  // namespace ogas
