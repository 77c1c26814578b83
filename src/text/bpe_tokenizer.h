// Byte-level byte-pair encoding (Sennrich et al. 2016, on bytes as GPT-2 does it).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/pre_tokenizer.h"
#include "text/token_trie.h"
#include "text/tokenizer.h"

namespace ogas {

class BpeTokenizer : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab);

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  std::string_view bytes_of(TokenId id) const override;
  const Vocab& vocab() const override { return vocab_; }

 private:
  // What two neighbours become, and how early: smaller ranks merge first.
  struct Merge {
    uint64_t pair = UINT64_MAX;  // left id << 32 | right id; UINT64_MAX marks an empty slot
    uint32_t rank = 0;
    TokenId result = 0;
  };

  BpeTokenizer(Vocab vocab, PreTokenizer pre_tokenizer);
  void spell_tokens();
  void index_tokens();
  Result<> index_bytes();
  Result<> index_merges();
  TokenId find_token(std::string_view bytes) const;  // -1 where there is none
  const Merge* find_merge(TokenId left, TokenId right) const;
  Merge* slot_of(uint64_t pair);
  void encode_text(std::string_view text, std::vector<TokenId>& ids) const;
  void encode_piece(std::string_view piece, std::vector<TokenId>& ids) const;

  Vocab vocab_;  // without its merges, which live in merges_
  PreTokenizer pre_tokenizer_;
  std::string spelling_;                // the bytes of all tokens, one after the other
  std::vector<uint32_t> spelling_end_;  // by id
  std::vector<TokenId> token_table_;    // open addressing by the hash of a normal token's bytes; -1 is empty
  std::vector<Merge> merges_;           // open addressing by pair; a power of two
  std::array<TokenId, 256> byte_ids_{};
  TokenTrie always_, special_;  // tokens found in text as a whole: always, and only where asked for
};

}  // namespace ogas
