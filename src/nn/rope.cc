#include "nn/rope.h"

#include <cmath>

#include "base/check.h"

namespace ogas {

Rope::Rope(uint32_t n_rot, double base, std::span<const float> factors, RopeStyle style) : style_(style) {
  OGAS_CHECK(factors.empty() || factors.size() == n_rot / 2, "{} factors for {} dimensions", factors.size(), n_rot);
  for (uint32_t j = 0; j < n_rot / 2; ++j) {
    const double frequency = std::pow(base, -2.0 * j / n_rot);
    frequencies_.push_back(factors.empty() ? frequency : frequency / static_cast<double>(factors[j]));
  }
}

void Rope::prepare(size_t first, size_t n_tokens, const Matrix& cos_sin) const {
  for (size_t t = 0; t < n_tokens; ++t) {
    float* row = cos_sin.row(t);
    for (size_t j = 0; j < frequencies_.size(); ++j) {
      const double angle = static_cast<double>(first + t) * frequencies_[j];
      row[2 * j] = static_cast<float>(std::cos(angle));
      row[2 * j + 1] = static_cast<float>(std::sin(angle));
    }
  }
}

void Rope::rotate(const Ops& ops, float* x, size_t n_heads, size_t head_dim, const float* cos_sin) const {
  ops.rope(
      {.x = x, .n_heads = n_heads, .head_stride = head_dim, .n_rot = n_rot(), .cos_sin = cos_sin, .style = style_});
}

}  // namespace ogas
