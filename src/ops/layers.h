// The small steps of a transformer layer between its blocks, cut into chunks and run on all threads.
#pragma once

#include <cstddef>
#include <span>

#include "ops/exec.h"
#include "ops/matrix.h"

namespace ogas {

// As many rows of y = RMSNorm(x) as there are kinds, ready for multiply().
void rms_norm(Exec& exec, const Matrix& x, std::span<const RowKind> kinds, std::span<const float> weight, float eps,
              const Activations& y);

// Rows 0..n_tokens of y += RMSNorm(x), which x holds then.
void add_normed(Exec& exec, const Matrix& y, const Matrix& x, std::span<const float> weight, float eps,
                size_t n_tokens);

// Rows 0..n_tokens of x = cap * tanh(x / cap).
void soft_cap(Exec& exec, const Matrix& x, float cap, size_t n_tokens);

// Rows 0..n_tokens of y += x.
void add(Exec& exec, const Matrix& y, const Matrix& x, size_t n_tokens);

}  // namespace ogas
