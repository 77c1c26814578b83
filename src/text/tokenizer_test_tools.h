// What tests of tokenizers share.
#pragma once

#include <string>

#include "base/unicode.h"
#include "text/pre_tokenizer.h"
#include "text/vocab.h"

namespace ogas {

// A byte-level vocabulary's tokens of single bytes, in the order of byte_letters().
inline Vocab vocab_of_bytes() {
  Vocab vocab;
  vocab.pre = "gpt-2";
  for (const char32_t letter : byte_letters()) {
    std::string token;
    append_utf8(token, letter);
    vocab.tokens.push_back(token);
  }
  vocab.kinds.assign(256, TokenKind::normal);
  return vocab;
}

}  // namespace ogas
