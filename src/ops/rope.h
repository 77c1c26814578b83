// Rotary position embedding (Su et al. 2021): which angle each pair of dimensions turns by at a position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "kernels/cpu_kernels.h"
#include "ops/matrix.h"

namespace ogas {

// How frequencies are changed for contexts longer than those of the first training.
enum class RopeScaling : uint8_t {
  none,
  linear,      // all divided by `factor` (Chen et al. 2023)
  wavelength,  // long ones divided, short ones kept, a ramp between (Llama 3.1, released code)
  yarn,        // the same by number of turns, and queries and keys scaled (Peng et al. 2023)
};

struct RopeParams {
  uint32_t n_rot = 0;  // dimensions of a head that are rotated; even
  double base = 10000;
  RopeStyle style = RopeStyle::half_split;
  std::vector<float> factors = {};  // [n_rot / 2] divisors of the frequencies (GGUF's rope_freqs.weight), or none
  RopeScaling scaling = RopeScaling::none;
  double factor = 1;            // longer contexts / n_ctx_original
  double n_ctx_original = 0;    // positions of the first training
  double low_freq_factor = 1;   // wavelength
  double high_freq_factor = 4;  // wavelength
  double beta_fast = 32;        // yarn: turns within n_ctx_original above which a pair is left alone
  double beta_slow = 1;         // yarn: turns below which it is divided
  bool truncate = true;         // yarn: borders of the ramp are rounded to whole pairs
  double attention_factor = 1;  // yarn: cosines and sines are multiplied by it

  bool operator==(const RopeParams&) const = default;
};

// YaRN's factor for queries and keys at a scale: 0.1 mscale ln(scale) + 1, or 1 up to scale 1 (Peng et al. 2023, eq.
// 22).
double yarn_mscale(double scale, double mscale);

class Rope {
 public:
  Rope() = default;
  // Pair j of the n_rot dimensions turns by position * base^(-2j / n_rot), scaled as params say, in radians.
  explicit Rope(const RopeParams& params);

  uint32_t n_rot() const { return static_cast<uint32_t>(2 * frequencies_.size()); }

  // Cosines and sines of a position: [n_rot / 2][2].
  void prepare(size_t position, float* cos_sin) const;
  // Rotates the first n_rot dimensions of n_heads heads, head_stride apart; in its own style unless another is given.
  void rotate(const CpuKernels& kernels, float* x, size_t n_heads, size_t head_stride, const float* cos_sin,
              std::optional<RopeStyle> style = {}) const;

 private:
  std::vector<double> frequencies_;  // radians a position
  double magnitude_ = 1;
  RopeStyle style_ = RopeStyle::interleaved;
};

// The distinct rotations of a model: blocks that rotate alike share one.
class Ropes {
 public:
  // Stays where it is.
  const Rope& add(const RopeParams& params);
  // Dimensions of all together.
  uint32_t n_rot() const;

 private:
  friend class RopeAngles;
  struct Entry {
    RopeParams params;
    Rope rope;
  };
  std::deque<Entry> entries_;
};

// Cosines and sines of the positions of a batch, in each of a model's rotations.
class RopeAngles {
 public:
  RopeAngles(const Ropes& ropes, size_t n_batch);
  void prepare(size_t row, size_t position) const;
  // [n_rot / 2][2] of a row, in one of these rotations.
  const float* row(const Rope& rope, size_t row) const;

 private:
  struct Entry {
    const Rope* rope;
    Matrix cos_sin;  // [n_batch, n_rot]
  };
  std::vector<Entry> entries_;
};

}  // namespace ogas
