// Random weights written directly as blocks of a format: random codes, and scales such that the numbers have the
// requested deviation and a mean of about zero. Not a quantizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "quant/format.h"

namespace ogas {

// Whether RandomBlocks can write it.
bool has_random_blocks(Format format);

class RandomBlocks {
 public:
  // format: one that has_random_blocks().
  RandomBlocks(Format format, float deviation);
  // Fills whole blocks; the same seed gives the same bytes.
  void fill(std::span<std::byte> blocks, uint64_t seed) const;

 private:
  Format format_;
  float scale_ = 1;  // the field d, or half the width of a uniform distribution
};

// Seeds of independent streams: of a file, its tensors, their pieces.
uint64_t mix_seeds(uint64_t seed, uint64_t stream);

}  // namespace ogas
