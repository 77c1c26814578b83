// Loops that only multiply and add in registers: what the cores could do if memory were free.
#pragma once

#include <cstddef>
#include <string_view>

#include "quant/format.h"

namespace ogas {

// Runs n_rounds rounds on the calling thread; returns the operations done, a multiplication and an addition being two.
struct PeakLoop {
  std::string_view name;  // the instruction: "vpdpbusd, 512 bits"; loops of one name are one loop
  double (*run)(size_t n_rounds);
};

// The fastest products with weights of this kind that an instruction set has (CpuKernels::name). Without a dot product
// of four bytes, sums stay in 16 bits for as many products as fit. The CPU must support the set.
PeakLoop peak_loop(WeightKind kind, std::string_view isa);

}  // namespace ogas
