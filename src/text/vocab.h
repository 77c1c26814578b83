// A tokenizer's data as it stands in a model file, whichever file that was. Plain values, no behaviour.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ogas {

using TokenId = int32_t;

// GGUF's tokenizer.ggml.token_type.
enum class TokenKind : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

enum class TokenizerModel : uint8_t {
  byte_level_bpe,     // GGUF "gpt2": merges ranked by position, text mapped byte by byte to printable letters
  sentencepiece_bpe,  // GGUF "llama": merges by score, unknown bytes as <0xXX>
};

struct Vocab {
  TokenizerModel model = TokenizerModel::byte_level_bpe;
  std::string pre;                  // name of the pre-tokenizer: "smollm", "llama-bpe", "qwen2", ...
  std::vector<std::string> tokens;  // by id, spelled as in the file (byte-level: printable letters; never empty ids)
  std::vector<TokenKind> kinds;     // by id; same length as tokens
  std::vector<float> scores;        // by id, or empty
  std::vector<std::string> merges;  // "left right", best first; empty for sentencepiece_bpe
  std::optional<TokenId> bos, eos, eot, unknown, padding;
  bool add_bos = false;  // what the file asks for when text is encoded with special tokens around it
  bool add_eos = false;
  bool add_space_prefix = false;
};

}  // namespace ogas
