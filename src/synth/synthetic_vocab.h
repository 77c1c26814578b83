// A byte-level BPE vocabulary of any size: the bytes, then words of Latin letters with and without a space before them,
// shortest and commonest letters first.
#pragma once

#include <cstdint>

#include "files/gguf_writer.h"

namespace ogas {

// The keys tokenizer.* of n_vocab tokens, with ChatML as template. n_vocab: 300 to 400,000.
void add_synthetic_vocab(GgufWriter& out, uint32_t n_vocab, std::string_view pre);

}  // namespace ogas
