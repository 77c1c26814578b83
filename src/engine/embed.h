// A text as one vector, for search and comparison.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "files/tensor_file.h"
#include "text/vocab.h"

namespace ogas {

class Engine;

// Which of the tokens' hidden rows after the final norm become the text's. In decoders a token sees none of those after
// it: only the last one has seen all, and the first one has seen itself.
enum class Pooling : uint8_t { last, mean, first };
std::string_view name_of(Pooling pooling);  // "last"

struct EmbedOptions {
  std::optional<Pooling> pooling = {};  // else recommended_pooling()
  bool normalize = true;                // to length 1, so that a product of two is their cosine
};

// GGUF's <architecture>.pooling_type as llama.cpp's converter writes it: 1 mean, 2 first (CLS), 3 last. The last token
// where there is none or it is 0 (no pooling). Errors: bad_file; unsupported (rerankers and unknown types).
Result<Pooling> recommended_pooling(const TensorFile& file);

// A vector [n_embd] for each text, several texts in a pass; a text's bits do not depend on the others. Errors: usage
// (as Engine::generate, naming the text), out_of_memory, cancelled (as score()), io, and those of recommended_pooling()
// where no other is chosen.
Result<std::vector<std::vector<float>>> embed(Engine& engine, std::span<const std::vector<TokenId>> texts,
                                              const EmbedOptions& options = {}, const std::stop_token& stop = {});

}  // namespace ogas
