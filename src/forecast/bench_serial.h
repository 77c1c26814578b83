// How much faster a model runs than plain code would run it: one thread, F32, one value at a time
// (kernels/reference.cc).
#pragma once

#include <string>

#include "forecast/bench_figures.h"

namespace ogas {

struct SerialSpeed {
  std::string slice;        // which part was computed
  double prefill_ops = 0;   // operations a second with 512 tokens at a time
  double decode_ops = 0;    // the same with one
  double prefill_rate = 0;  // what that is in tokens a second of the whole model
  double decode_rate = 0;
};

// Multiplies a few rows of every matrix that a token uses, which takes a few seconds. The whole model's time follows
// from the number of its operations. Attention is left out, which favours the serial code.
SerialSpeed measure_serial(const Engine& engine);

}  // namespace ogas
