// Rotary position embedding: which angle each pair of dimensions turns by at a position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nn/exec.h"
#include "nn/matrix.h"

namespace ogas {

class Rope {
 public:
  Rope() = default;
  // n_rot dimensions of a head are rotated, pair j by position * base^(-2j / n_rot) / factors[j] radians. factors has
  // n_rot / 2 values (how a file stores Llama 3.1's scaling of long wavelengths) or none.
  Rope(uint32_t n_rot, double base, std::span<const float> factors, RopeStyle style);

  uint32_t n_rot() const { return static_cast<uint32_t>(2 * frequencies_.size()); }

  // Fills the cosines and sines of positions first..first + n_tokens, row after row [n_rot / 2][2].
  void prepare(size_t first, size_t n_tokens, const Matrix& cos_sin) const;
  // Rotates n_heads heads of head_dim each, packed in a row of x, by a row of cos_sin.
  void rotate(const Ops& ops, float* x, size_t n_heads, size_t head_dim, const float* cos_sin) const;

 private:
  std::vector<double> frequencies_;  // radians a position
  RopeStyle style_ = RopeStyle::interleaved;
};

}  // namespace ogas
