// Byte-pair encoding in its two forms: on bytes, as in GPT-2, and on characters with a fallback to bytes, as in
// SentencePiece. The Vocab says which form, and what happens before and after merging.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/merge_table.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_index.h"
#include "text/tokenizer.h"

namespace ogas {

class BpeTokenizer : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab);

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  std::string_view bytes_of(TokenId id) const override;
  const Vocab& vocab() const override { return vocab_; }

 private:
  struct Encoding;  // one call of encode()

  explicit BpeTokenizer(Vocab vocab) : vocab_(std::move(vocab)) {}
  bool is_byte_level() const { return vocab_.model == TokenizerModel::byte_level_bpe; }
  Result<> check_vocab() const;
  Result<> read_rules();
  void spell_tokens();
  void index_tokens();
  void index_added();
  std::string_view normalized_content(const AddedToken& token, std::string& storage) const;
  Result<> index_bytes();
  Result<> index_merges();
  Result<> index_scores();
  bool can_cut_at_spaces() const;
  // What a token looks like in text that is about to be merged.
  const StringList& spelled() const { return is_byte_level() ? spelling_ : vocab_.tokens; }
  TokenId find_token(std::string_view text) const { return index_.find(spelled(), text); }
  // A token, or a character that only occurs within tokens; -1 for others.
  TokenId find_symbol(std::string_view text) const;

  void encode_valid(std::string_view text, TextStart start, Encoding& encoding) const;
  void encode_chunk(std::string_view text, TextStart start, Encoding& encoding) const;
  void encode_prepared(std::string_view text, Encoding& encoding) const;
  void encode_piece(std::string_view piece, Encoding& encoding) const;
  void merge_piece(std::string_view piece, Encoding& encoding) const;
  void put_character(std::string_view character, std::vector<TokenId>& symbols) const;
  void put_unmerged(std::string_view bytes, std::vector<TokenId>& ids) const;

  Vocab vocab_;  // without its merges, which live in merges_
  TextRules rules_;
  PreTokenizer pre_tokenizer_;
  StringList spelling_;  // by id: the bytes a token stands for
  TokenIndex index_;     // what text can become by merging; control tokens are not in it
  MergeTable merges_;
  AddedTokens added_raw_, added_normalized_;
  std::array<TokenId, 256> byte_ids_{};  // -1 where there is none
  // Characters that are not tokens, but occur in tokens, have ids from the vocabulary's size on while merging.
  std::map<std::string, TokenId, std::less<>> part_ids_;
  StringList parts_;
  size_t longest_token_ = 0;  // bytes
  bool cuts_at_spaces_ = false;
  // By id: whether merging a token's own bytes gives it back; 0 is not yet known. Found out when first asked.
  std::unique_ptr<std::atomic<uint8_t>[]> merges_whole_;
};

}  // namespace ogas
