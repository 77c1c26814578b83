// Loops that do nothing but multiply and add in registers: what the cores could do if memory were free.
#pragma once

#include <cstddef>
#include <string_view>

namespace ogas {

// Runs n_rounds rounds on the calling thread; returns the operations done, a multiplication and an addition being two.
struct PeakLoop {
  std::string_view name;  // the instruction: "vpdpbusd, 512 bits"
  double (*run)(size_t n_rounds);
};

struct PeakLoops {
  // The widest that this CPU has.
  PeakLoop (*int8)();
  PeakLoop (*f32)();
};

extern const PeakLoops kPeakOps;

}  // namespace ogas
