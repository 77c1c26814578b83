// A tokenizer's data as read from a model file, GGUF or tokenizer.json. Plain values without behaviour.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/string_list.h"

namespace ogas {

using TokenId = int32_t;

// GGUF's tokenizer.ggml.token_type.
enum class TokenKind : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

enum class TokenizerModel : uint8_t {
  byte_level_bpe,     // GGUF "gpt2": text mapped byte by byte to printable letters
  sentencepiece_bpe,  // GGUF "llama": text in characters; one without a token becomes bytes <0xXX>
};

// A token found in text as a whole, before anything is merged. The fields are those of tokenizer.json's added_tokens.
struct AddedToken {
  TokenId id = 0;
  bool is_special = false;   // control: found only where the caller trusts the text
  bool normalized = false;   // found in the text as normalized, after those that are not
  bool takes_left = false;   // lstrip: white space before it belongs to it
  bool takes_right = false;  // rstrip
  bool whole_word = false;   // single_word: not within a word
};

// One step that changes text.
struct TextStep {
  enum class Kind : uint8_t {
    nfc,            // Unicode normalization form C
    prepend,        // `what` before a text that is not empty
    prepend_once,   // the same, unless the text begins with it
    prepend_first,  // prepend_once, only at the very start of what is encoded
    replace,        // each `what` by `with`
  };
  Kind kind = Kind::nfc;
  std::string what, with;
  bool operator==(const TextStep&) const = default;
};

// One step that cuts text: at the matches of a regular expression.
struct SplitStep {
  // What becomes of a match: a piece of its own, nothing, one piece with its neighbours that matched too, or a part of
  // the piece before or after it.
  enum class Behavior : uint8_t { isolated, removed, contiguous, merged_with_previous, merged_with_next };
  std::string pattern;  // as tokenizer.json writes it (Oniguruma's syntax, as far as PCRE2 shares it)
  Behavior behavior = Behavior::isolated;
  bool invert = false;  // what lies between the matches counts as match
  bool operator==(const SplitStep&) const = default;
};

// What happens to text before merging.
struct TextRules {
  std::vector<TextStep> normalizer;   // first; then added tokens marked `normalized` are looked for
  std::vector<TextStep> preparation;  // then, on each stretch between added tokens
  std::vector<SplitStep> splits;      // then, each step within the pieces of the one before
  bool ignore_merges = false;         // a piece that is a token is taken as it is, without looking at the merges
  bool operator==(const TextRules&) const = default;
};

struct Vocab {
  TokenizerModel model = TokenizerModel::byte_level_bpe;
  std::string pre;                 // GGUF's name for the rules: "smollm", "llama-bpe", "qwen2", ...
  std::optional<TextRules> rules;  // the rules themselves, where the file has them; else they follow from model and pre
  StringList tokens;               // by id, spelled as in the file (byte-level: printable letters)
  std::vector<TokenKind> kinds;    // by id; same length as tokens
  std::vector<AddedToken> added;
  std::vector<float> scores;  // by id, or empty; without merges, the highest score merges first
  StringList merges;          // left, right, left, right, ...; best first
  std::optional<TokenId> bos, eos, padding;
  std::optional<TokenId> eot, eom;  // end of turn and of message, as the converter of the file found them
  std::vector<TokenId> ends;        // further tokens that end an answer, as the publisher lists them
  std::optional<TokenId> unknown;   // for text without a token; byte-level: only with rules from the file
  bool add_bos = false;             // what the file asks for when text is encoded with special tokens around it
  bool add_eos = false;
  // The rest is for sentencepiece_bpe.
  bool add_space_prefix = false;  // text gets a space in front; decode_text() takes it away again
  bool marks_spaces = true;       // U+2581 in a token stands for a space
  bool fuse_unknown = false;      // neighbours that are unknown become one unknown token
};

}  // namespace ogas
