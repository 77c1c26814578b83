// The list of operations that forward passes are made of, on tensors whose rows belong to the tokens of a batch. Blocks
// (nn/) and decoders (arch/) are compositions of them; a device is one implementation of the list (cpu/cpu_device.h).
//
// Rows: an operation works on rows 0..n_rows of what it is given, or on as many as there are kinds. What it computes of
// a row is the same bits whatever the other rows are, however many threads there are, and wherever a prompt was cut
// into batches. An operation that writes rows of Activations makes their quantized forms, too.
// Errors: sizes that do not fit are a bug in ogas (OGAS_CHECK). An operation that can fail for another reason returns a
// Result.
// Axes: t rows, i inputs and o outputs of a linear layer, h heads, d dimensions of a head, p positions.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>

#include "ops/gated_ffn.h"
#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/row_kind.h"

namespace ogas {

class Device {
 public:
  virtual ~Device() = default;

  // Rows 0..n_rows of every product's y = W x, from the same x: q, k and v, or gate and up, are one operation.
  virtual void multiply(const Activations& x, size_t n_rows, std::initializer_list<Product> products) = 0;
  // y = W x without rounding x: what is decided from y, such as routing, must not depend on that. W is read once for
  // n_together rows.
  virtual void multiply_in_f32(const Linear& linear, const Activations& x, size_t n_rows, size_t n_together,
                               const Matrix& y) = 0;
  // y = down(f(gate(x)) * up(x)), with the group's biases and its f, for every group of rows. As cheap for many groups
  // as for one of all their rows. `gated` of each is overwritten.
  virtual void gated_ffn(std::span<const GatedRows> groups) = 0;

  // y = x / sqrt(mean(x^2) + eps) * weight, as many rows as there are kinds (Zhang & Sennrich 2019, eq. 4). weight:
  // [n_cols].
  virtual void rms_norm(const Matrix& x, std::span<const RowKind> kinds, std::span<const float> weight, float eps,
                        const Activations& y) = 0;
  // y += RMSNorm(x), which x holds then.
  virtual void add_normed(const Matrix& y, const Matrix& x, std::span<const float> weight, float eps,
                          size_t n_rows) = 0;
  // y += x.
  virtual void add(const Matrix& y, const Matrix& x, size_t n_rows) = 0;
  // x = cap * tanh(x / cap).
  virtual void soft_cap(const Matrix& x, float cap, size_t n_rows) = 0;
};

}  // namespace ogas
