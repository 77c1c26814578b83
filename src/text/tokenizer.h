// Text to token ids and back.
//
// What it is not: a chat template (chat_template.h), or a reader of model files (files/vocab_reader.h makes the Vocab).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_range.h"
#include "base/result.h"
#include "text/vocab.h"

namespace ogas {

struct EncodeOptions {
  // Recognise control tokens such as <|im_start|> in the text. Off for anything a user typed: there they stay letters.
  bool parse_special = false;
  // Put BOS/EOS around it where the file asks for them.
  bool add_special = false;
  // Stretches where control tokens stay letters although parse_special is set: what a user typed within a chat's text.
  // A control token that only touches one stays letters too. In order, apart from each other.
  std::span<const ByteRange> input = {};
};

// Immutable and safe to share between threads once created.
class Tokenizer {
 public:
  // Errors: bad_file (ids out of range, merges that name no token, ...), unsupported (unknown pre-tokenizer).
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab);
  virtual ~Tokenizer() = default;

  // text may be invalid UTF-8: its bytes are encoded all the same. What normalization changes, and bytes that the
  // vocabulary has no token for (SmolLM2 lacks 21 rare ones), do not come back.
  virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const = 0;
  // The exact bytes of one token; control tokens give their name ("<|im_end|>"). Empty for an id outside the
  // vocabulary.
  virtual std::string_view bytes_of(TokenId id) const = 0;
  virtual const Vocab& vocab() const = 0;

  // The bytes of all ids in order; may end in half a character (see StreamDecoder). Control tokens are left out unless
  // keep_special.
  std::string decode(std::span<const TokenId> ids, bool keep_special = true) const;
  // The same for ids that begin a text: without the space that the tokenizer put in front of it.
  std::string decode_text(std::span<const TokenId> ids, bool keep_special = true) const;
  // As decode_text, and valid UTF-8: what can be no character comes as U+FFFD, as from a StreamDecoder.
  std::string decode_valid(std::span<const TokenId> ids) const;
  bool is_control(TokenId id) const;

 private:
  std::string without_added_space(std::string text) const;
};

// Turns tokens into text as they come, holding bytes back until a character is whole. Bytes that can never become one
// turn into U+FFFD, so what comes out is always valid UTF-8.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer);
  // The text that became certain with this token, valid until the next call; often empty.
  std::string_view push(TokenId id);
  // What is left at the end (an unfinished character comes as U+FFFD).
  std::string_view flush();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;  // a prefix of one valid character, at most 3 bytes
  std::string certain_;  // what push() returned
};

}  // namespace ogas
