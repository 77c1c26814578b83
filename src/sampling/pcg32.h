// A generator of random numbers that is the same everywhere: not whatever a standard library brings.
#pragma once

#include <cstdint>

namespace ogas {

// PCG-XSH-RR (O'Neill 2014).
class Pcg32 {
 public:
  // Neighbouring seeds start far apart: SplitMix64 (Steele et al. 2014).
  explicit Pcg32(uint64_t seed) {
    seed += 0x9E3779B97F4A7C15;
    seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9;
    seed = (seed ^ seed >> 27) * 0x94D049BB133111EB;
    state_ = seed ^ seed >> 31;
  }

  // From 0 to below 1, in steps of 2^-53.
  double next_uniform() {
    const uint64_t high = next();
    const uint64_t bits = (high << 32 | next()) >> 11;
    return static_cast<double>(bits) * 0x1p-53;
  }

 private:
  uint32_t next() {
    const uint64_t old = state_;
    state_ = old * 6364136223846793005 + 1442695040888963407;
    const auto shifted = static_cast<uint32_t>((old >> 18 ^ old) >> 27);
    const auto turn = static_cast<uint32_t>(old >> 59);
    return shifted >> turn | shifted << (-turn & 31);
  }

  uint64_t state_;
};

}  // namespace ogas
