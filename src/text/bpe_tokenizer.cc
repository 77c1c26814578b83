#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <tuple>

#include "base/quote.h"
#include "text/unicode.h"

namespace ogas {
namespace {

uint64_t pair_of(TokenId left, TokenId right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// Fibonacci hashing: the upper bits of a product with 2^64 / golden ratio.
size_t hash_of(uint64_t value, size_t table_size) {
  return static_cast<size_t>(value * 0x9E3779B97F4A7C15 >> (64 - std::bit_width(table_size - 1)));
}

uint64_t hash_of(std::string_view bytes) { return std::hash<std::string_view>{}(bytes); }

// Room for n entries at most half full.
size_t table_size_for(size_t n) { return std::bit_ceil(std::max<size_t>(2 * n, 16)); }

// A token spelled in byte letters as its bytes; as it stands where a character is no byte letter.
std::string bytes_from_letters(std::string_view letters) {
  std::string bytes;
  for (std::string_view rest = letters; !rest.empty();) {
    const Utf8Step step = next_utf8(rest);
    const auto byte = step.kind == Utf8Kind::valid ? byte_of_letter(step.code_point) : std::nullopt;
    if (!byte) return std::string(letters);
    bytes += static_cast<char>(*byte);
    rest.remove_prefix(step.length);
  }
  return bytes;
}

// One symbol of a piece while it is being merged: a list linked by indices, so that merging moves nothing.
struct Symbol {
  TokenId id;
  int32_t previous, next;  // -1 at the ends
};

struct Candidate {
  uint32_t rank;
  int32_t left;  // index of the left symbol
  uint64_t pair;
  TokenId result;
};

// The lowest rank first, then the leftmost.
struct Later {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return std::tie(a.rank, a.left) > std::tie(b.rank, b.left);
  }
};

}  // namespace

BpeTokenizer::BpeTokenizer(Vocab vocab, PreTokenizer pre_tokenizer)
    : vocab_(std::move(vocab)), pre_tokenizer_(std::move(pre_tokenizer)) {}

Result<std::unique_ptr<Tokenizer>> BpeTokenizer::create(Vocab vocab) {
  if (vocab.kinds.size() != vocab.tokens.size())
    return fail(ErrorCode::bad_file, "the vocabulary has {} tokens and {} token types", vocab.tokens.size(),
                vocab.kinds.size());
  auto pre_tokenizer = OGAS_TRY(PreTokenizer::create(vocab.pre));
  std::unique_ptr<BpeTokenizer> tokenizer(new BpeTokenizer(std::move(vocab), std::move(pre_tokenizer)));
  tokenizer->spell_tokens();
  tokenizer->index_tokens();
  OGAS_TRY(tokenizer->index_bytes());
  OGAS_TRY(tokenizer->index_merges());
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

// Control and user-defined tokens are written as they read; all others in byte letters.
void BpeTokenizer::spell_tokens() {
  spelling_end_.reserve(vocab_.tokens.size());
  for (size_t id = 0; id < vocab_.tokens.size(); ++id) {
    const bool as_it_reads = vocab_.kinds[id] == TokenKind::control || vocab_.kinds[id] == TokenKind::user_defined;
    spelling_ += as_it_reads ? vocab_.tokens[id] : bytes_from_letters(vocab_.tokens[id]);
    spelling_end_.push_back(static_cast<uint32_t>(spelling_.size()));
  }
  spelling_.shrink_to_fit();
}

void BpeTokenizer::index_tokens() {
  token_table_.assign(table_size_for(vocab_.tokens.size()), -1);
  for (size_t idx = 0; idx < vocab_.tokens.size(); ++idx) {
    const auto id = static_cast<TokenId>(idx);
    const std::string_view bytes = bytes_of(id);
    if (bytes.empty()) continue;
    if (vocab_.kinds[idx] == TokenKind::control) special_.insert(bytes, id);
    if (vocab_.kinds[idx] == TokenKind::user_defined) {
      always_.insert(bytes, id);
      special_.insert(bytes, id);
    }
    if (vocab_.kinds[idx] == TokenKind::control || find_token(bytes) >= 0) continue;
    size_t slot = hash_of(hash_of(bytes), token_table_.size());
    while (token_table_[slot] >= 0) slot = (slot + 1) % token_table_.size();
    token_table_[slot] = id;
  }
}

Result<> BpeTokenizer::index_bytes() {
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    TokenId id = find_token({&c, 1});
    if (id < 0 && vocab_.unknown) id = *vocab_.unknown;
    if (id < 0)
      return fail(ErrorCode::bad_file, "the vocabulary has no token for byte {:#04x}, nor one for unknown", byte);
    byte_ids_[byte] = id;
  }
  return {};
}

// Merges are written "left right" in byte letters. Ones that name no token can never apply and mean a damaged file.
Result<> BpeTokenizer::index_merges() {
  merges_.assign(table_size_for(vocab_.merges.size()), {});
  for (size_t rank = 0; rank < vocab_.merges.size(); ++rank) {
    const std::string_view merge = vocab_.merges[rank];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos)
      return fail(ErrorCode::bad_file, "merge {} is {}; two tokens with a space between are expected", rank,
                  in_quotes(merge));
    const std::string left = bytes_from_letters(merge.substr(0, space));
    const std::string right = bytes_from_letters(merge.substr(space + 1));
    const TokenId ids[] = {find_token(left), find_token(right), find_token(left + right)};
    if (std::ranges::min(ids) < 0)
      return fail(ErrorCode::bad_file, "merge {}, {}, names or makes a token that is not in the vocabulary", rank,
                  in_quotes(merge));
    Merge* slot = slot_of(pair_of(ids[0], ids[1]));
    if (slot->pair == UINT64_MAX) *slot = {pair_of(ids[0], ids[1]), static_cast<uint32_t>(rank), ids[2]};
  }
  vocab_.merges = {};
  return {};
}

std::string_view BpeTokenizer::bytes_of(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= spelling_end_.size()) return {};
  const auto idx = static_cast<size_t>(id);
  const size_t begin = idx == 0 ? 0 : spelling_end_[idx - 1];
  return std::string_view(spelling_).substr(begin, spelling_end_[idx] - begin);
}

TokenId BpeTokenizer::find_token(std::string_view bytes) const {
  size_t slot = hash_of(hash_of(bytes), token_table_.size());
  for (; token_table_[slot] >= 0; slot = (slot + 1) % token_table_.size())
    if (bytes_of(token_table_[slot]) == bytes) return token_table_[slot];
  return -1;
}

BpeTokenizer::Merge* BpeTokenizer::slot_of(uint64_t pair) {
  size_t slot = hash_of(pair, merges_.size());
  while (merges_[slot].pair != pair && merges_[slot].pair != UINT64_MAX) slot = (slot + 1) % merges_.size();
  return &merges_[slot];
}

const BpeTokenizer::Merge* BpeTokenizer::find_merge(TokenId left, TokenId right) const {
  const uint64_t pair = pair_of(left, right);
  size_t slot = hash_of(pair, merges_.size());
  for (; merges_[slot].pair != UINT64_MAX; slot = (slot + 1) % merges_.size())
    if (merges_[slot].pair == pair) return &merges_[slot];
  return nullptr;
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text, EncodeOptions options) const {
  const TokenTrie& whole_tokens = options.parse_special ? special_ : always_;
  std::vector<TokenId> ids;
  if (options.add_special && vocab_.add_bos && vocab_.bos) ids.push_back(*vocab_.bos);
  size_t begin = 0;
  auto input = options.input.begin();
  for (size_t at = 0; at < text.size();) {
    auto match = whole_tokens.longest_at(text.substr(at));
    while (input != options.input.end() && input->end <= at) ++input;
    if (match.length > 0 && input != options.input.end() && input->begin < at + match.length)
      match = always_.longest_at(text.substr(at));
    if (match.length == 0) {
      ++at;
      continue;
    }
    encode_text(text.substr(begin, at - begin), ids);
    ids.push_back(match.id);
    begin = at += match.length;
  }
  encode_text(text.substr(begin), ids);
  if (options.add_special && vocab_.add_eos && vocab_.eos) ids.push_back(*vocab_.eos);
  return ids;
}

void BpeTokenizer::encode_text(std::string_view text, std::vector<TokenId>& ids) const {
  if (text.empty()) return;
  pre_tokenizer_.split(text, [&](std::string_view piece) { encode_piece(piece, ids); });
}

// Merges the best pair until none is left, in O(n log n) for a piece of n bytes.
void BpeTokenizer::encode_piece(std::string_view piece, std::vector<TokenId>& ids) const {
  if (pre_tokenizer_.ignores_merges() || piece.size() == 1) {
    if (const TokenId id = find_token(piece); id >= 0) return ids.push_back(id);
  }
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (size_t idx = 0; idx < piece.size(); ++idx) {
    const auto at = static_cast<int32_t>(idx);
    symbols.push_back({byte_ids_[static_cast<uint8_t>(piece[idx])], at - 1, idx + 1 < piece.size() ? at + 1 : -1});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, Later> queue;
  const auto consider = [&](int32_t left) {
    if (left < 0 || symbols[static_cast<size_t>(left)].next < 0) return;
    const Symbol& symbol = symbols[static_cast<size_t>(left)];
    const TokenId right_id = symbols[static_cast<size_t>(symbol.next)].id;
    if (const Merge* merge = find_merge(symbol.id, right_id))
      queue.push({merge->rank, left, merge->pair, merge->result});
  };
  for (size_t idx = 0; idx < symbols.size(); ++idx) consider(static_cast<int32_t>(idx));

  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[static_cast<size_t>(best.left)];
    // Out of date if either side has been merged since; a symbol merged into its left neighbour has id -1.
    if (left.id < 0 || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    if (pair_of(left.id, right.id) != best.pair) continue;
    left.id = best.result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  for (const Symbol& symbol : symbols)
    if (symbol.id >= 0) ids.push_back(symbol.id);
}

}  // namespace ogas
