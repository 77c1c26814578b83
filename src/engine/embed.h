// A text as one vector, for search and comparison (Engine::embed).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "files/tensor_file.h"

namespace ogas {

// Which of the tokens' hidden states behind the final norm become the text's. In decoders a token sees none of those
// behind it: only the last one has seen all, and the first one has seen itself.
enum class Pooling : uint8_t { last, mean, first };
std::string_view name_of(Pooling pooling);  // "last"

struct EmbedOptions {
  std::optional<Pooling> pooling = {};  // else recommended_pooling()
  bool normalize = true;                // to length 1, so that a product of two is their cosine
};

// GGUF's <architecture>.pooling_type as llama.cpp's converter writes it: 1 mean, 2 first (CLS), 3 last. The last token
// where there is none or it is 0 (no pooling). Errors: bad_file; unsupported (rerankers and what we do not know).
Result<Pooling> recommended_pooling(const TensorFile& file);

}  // namespace ogas
