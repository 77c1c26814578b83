// Linear layers over weights that stay where and as their file has them, or are packed from there (packed_weights.h).
#pragma once

#include <cstddef>
#include <span>

#include "ops/matrix.h"

namespace ogas {

// y = W x. A view: the mapped file owns the weights, PackedWeights the panels.
class Linear {
 public:
  Linear() = default;
  // block_scales: of F8_E4M3 weights, scales: of MXFP4_SPLIT (kernels/cpu_kernels.h), else null.
  Linear(Format format, const std::byte* weights, size_t n_out, size_t n_in, const float* block_scales = nullptr,
         const std::byte* scales = nullptr)
      : format_(format), weights_(weights), block_scales_(block_scales), scales_(scales), n_out_(n_out), n_in_(n_in) {}
  // Of weights in a plain format that are stored the other way round: [n_in, n_out].
  static Linear transposed(Format format, const std::byte* weights, size_t n_out, size_t n_in);

  size_t n_out() const { return n_out_; }
  size_t n_in() const { return n_in_; }
  // The layer made of n_rows of these rows, from first_row on.
  Linear rows(size_t first_row, size_t n_rows) const;
  // The layer made of every step-th of these rows, from first_row on.
  Linear every(size_t step, size_t first_row) const;
  // Row o of the weights as floats [n_in], from its file's format, not from panels.
  void decode_row(size_t o, float* values) const;
  // The same from the panels, if there are any: slower, but nothing of what is mapped comes back into memory. For
  // embeddings, of which a token needs one.
  void decode_packed_row(const CpuKernels& kernels, size_t o, float* values) const;
  // The bytes of rows o_begin..o_end where they are mapped, with what lies between them.
  std::span<const std::byte> stored_rows(size_t o_begin, size_t o_end) const;
  // Of all rows; of weights that are stored transposed, the whole matrix.
  std::span<const std::byte> stored() const;
  // MXFP4_SPLIT: the scales of these rows, a byte for each block, where they are mapped. Empty for other formats.
  std::span<const std::byte> stored_scales() const;
  // The same layer, with what stored() and, unless null, stored_scales() give here instead, and without panels.
  Linear at(const std::byte* copy_of_stored, const std::byte* copy_of_scales = nullptr) const;
  // Asks for its rows to be kept next to the panels when it is packed: they are decoded one by one, too, and too often
  // for panels.
  void keep_rows() { keeps_rows_ = true; }
  bool keeps_rows() const { return keeps_rows_; }
  // Bytes of all rows as panels; 0 where these operations read them as they are.
  uint64_t panel_bytes(const CpuKernels& kernels) const;
  size_t n_panels(const CpuKernels& kernels) const { return (n_out_ + kernels.panel_rows - 1) / kernels.panel_rows; }
  // Writes panel panel_idx of `panels`, which has space for all of them.
  void pack_panel(const CpuKernels& kernels, size_t panel_idx, std::byte* panels) const;
  // From here on multiply() reads these panels, made of this layer's rows; so do the layers taken from it with rows().
  void use_panels(const std::byte* panels);
  bool has_panels() const { return panels_ != nullptr; }
  // Whether these operations multiply with activations as floats, not with their 8-bit form.
  bool reads_values(const CpuKernels& kernels) const;
  // Whether both are the same rows.
  bool same_rows_as(const Linear& other) const;
  // All outputs for rows x_row..x_row + n_rows of x, on the calling thread; y[r * y_stride] receives those of row r.
  void multiply_into(const CpuKernels& kernels, const Activations& x, size_t x_row, size_t n_rows, float* y,
                     size_t y_stride) const;

 private:
  friend struct MatmulCall;

  // Where rows o_begin..o_end lie; tokens and outputs are for the caller to fill in.
  MatmulArgs matmul_args(size_t o_begin, size_t o_end) const;

  Format format_ = Format::f32;
  const std::byte* weights_ = nullptr;  // of the whole matrix that this is rows of
  const float* block_scales_ = nullptr;
  const std::byte* scales_ = nullptr;
  size_t first_row_ = 0;  // in that matrix: blocks of scales are counted from its first row
  size_t row_step_ = 1;
  size_t n_columns_ = 0;  // not 0: that matrix is stored transposed, and this many are its rows
  const std::byte* panels_ = nullptr;
  bool keeps_rows_ = false;
  size_t panel_row_ = 0;  // row of the panels that is row 0
  size_t n_out_ = 0;
  size_t n_in_ = 0;
};

struct Product {
  const Linear& linear;
  const Matrix& y;  // its n_cols must be the layer's n_out
};

// Outputs o_begin..o_end of a layer for n_rows rows of x from first_row on, on the calling thread: what regions made of
// several layers (experts) are put together from.
struct MatmulCall {
  const Linear& linear;
  const Activations& x;
  size_t first_row, n_rows;
  size_t o_begin, o_end;

  // To y, whose row r belongs to row r of x.
  void run(const CpuKernels& kernels, const Matrix& y) const;
  // To [n_rows, stride] floats, of which column 0 receives output o_begin.
  void run(const CpuKernels& kernels, float* y, size_t stride) const { run_with(kernels, true, y, stride); }
  // The same without rounding activations.
  void run_in_f32(const CpuKernels& kernels, const Matrix& y) const;
  void run_in_f32(const CpuKernels& kernels, float* y, size_t stride) const { run_with(kernels, false, y, stride); }

 private:
  void run_with(const CpuKernels& kernels, bool rounds_x, float* y_data, size_t y_stride) const;
};

// Outputs a chunk, for layers of n_out outputs in all that n_tokens are multiplied with; and rows of n_in activations.
size_t outputs_per_chunk(size_t n_out, unsigned n_threads, size_t n_tokens);
size_t rows_per_chunk(const CpuKernels& kernels, size_t n_in, size_t n_rows);

}  // namespace ogas
