#include "ops/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace ogas {
namespace {

double wavelength_frequency(double frequency, const RopeParams& params) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < params.n_ctx_original / params.high_freq_factor) return frequency;
  if (wavelength > params.n_ctx_original / params.low_freq_factor) return frequency / params.factor;
  const double smooth = (params.n_ctx_original / wavelength - params.low_freq_factor) /
                        (params.high_freq_factor - params.low_freq_factor);
  return (1 - smooth) * frequency / params.factor + smooth * frequency;
}

// The pair, as a fraction of their number, that makes n_turns turns within the original context.
double yarn_pair(double n_turns, const RopeParams& params) {
  return params.n_rot * std::log(params.n_ctx_original / (n_turns * 2 * std::numbers::pi)) /
         (2 * std::log(params.base));
}

double yarn_frequency(double frequency, double j, const RopeParams& params) {
  double low = yarn_pair(params.beta_fast, params), high = yarn_pair(params.beta_slow, params);
  if (params.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, params.n_rot - 1.0);
  if (low == high) high += 0.001;
  const double ramp = std::clamp((j - low) / (high - low), 0.0, 1.0);
  return frequency / params.factor * ramp + frequency * (1 - ramp);
}

double scaled(double frequency, double j, const RopeParams& params) {
  switch (params.scaling) {
    case RopeScaling::none: return frequency;
    case RopeScaling::linear: return frequency / params.factor;
    case RopeScaling::wavelength: return wavelength_frequency(frequency, params);
    case RopeScaling::yarn: return yarn_frequency(frequency, j, params);
  }
  return frequency;
}

}  // namespace

double yarn_mscale(double scale, double mscale) { return scale <= 1 ? 1 : 0.1 * mscale * std::log(scale) + 1; }

Rope::Rope(const RopeParams& params) : magnitude_(params.attention_factor), style_(params.style) {
  const auto& factors = params.factors;
  OGAS_CHECK(factors.empty() || factors.size() == params.n_rot / 2, "{} factors for {} dimensions", factors.size(),
             params.n_rot);
  for (uint32_t j = 0; j < params.n_rot / 2; ++j) {
    const double frequency = scaled(std::pow(params.base, -2.0 * j / params.n_rot), j, params);
    frequencies_.push_back(factors.empty() ? frequency : frequency / static_cast<double>(factors[j]));
  }
}

void Rope::prepare(size_t position, float* cos_sin) const {
  for (size_t j = 0; j < frequencies_.size(); ++j) {
    const double angle = static_cast<double>(position) * frequencies_[j];
    cos_sin[2 * j] = static_cast<float>(magnitude_ * std::cos(angle));
    cos_sin[2 * j + 1] = static_cast<float>(magnitude_ * std::sin(angle));
  }
}

const Rope& Ropes::add(const RopeParams& params) {
  for (const Entry& entry : entries_)
    if (entry.params == params) return entry.rope;
  return entries_.emplace_back(params, Rope(params)).rope;
}

uint32_t Ropes::n_rot() const {
  uint32_t n = 0;
  for (const Entry& entry : entries_) n += entry.rope.n_rot();
  return n;
}

RopeAngles::RopeAngles(const Ropes& ropes, size_t n_batch) {
  for (const Ropes::Entry& entry : ropes.entries_)
    entries_.push_back({&entry.rope, Matrix(n_batch, entry.rope.n_rot())});
}

void RopeAngles::prepare(size_t row, size_t position) const {
  for (const Entry& entry : entries_) entry.rope->prepare(position, entry.cos_sin.row(row));
}

const float* RopeAngles::row(const Rope& rope, size_t row) const {
  const auto found = std::ranges::find(entries_, &rope, &Entry::rope);
  OGAS_CHECK(found != entries_.end(), "a rotation of {} dimensions that is not one of the model's {}", rope.n_rot(),
             entries_.size());
  return found->cos_sin.row(row);
}

void Rope::rotate(const CpuKernels& kernels, float* x, size_t n_heads, size_t head_stride, const float* cos_sin,
                  std::optional<RopeStyle> style) const {
  kernels.rope({.x = x,
                .n_heads = n_heads,
                .head_stride = head_stride,
                .n_rot = n_rot(),
                .cos_sin = cos_sin,
                .style = style.value_or(style_)});
}

}  // namespace ogas
