// Activations: rows of floats, one row a token, and where a linear layer reads them their 8-bit form, too.
#pragma once

#include <cstddef>
#include <span>

#include "base/memory.h"
#include "kernels/cpu_kernels.h"
#include "ops/row_kind.h"

namespace ogas {

// [max_rows, n_cols] floats in one piece; only what is written costs memory.
class Matrix {
 public:
  Matrix() = default;
  Matrix(size_t max_rows, size_t n_cols)
      : buffer_(max_rows * n_cols * sizeof(float)), max_rows_(max_rows), n_cols_(n_cols) {}

  size_t max_rows() const { return max_rows_; }
  size_t n_cols() const { return n_cols_; }
  float* data() const { return reinterpret_cast<float*>(buffer_.data()); }
  float* row(size_t row_idx) const { return data() + row_idx * n_cols_; }

 private:
  PageBuffer buffer_;
  size_t max_rows_ = 0;
  size_t n_cols_ = 0;
};

// A matrix that linear layers multiply with. A row is written in floats (write()), then quantized (quantize_row()), and
// products refuse one that was written and not quantized. Prefill rows have a form in BF16 in addition to the one of 8
// bits, where kernels use one (CpuKernels::tile_rows).
class Activations {
 public:
  static constexpr size_t kMaxTileRows = 16;  // of any operations' tile_rows

  Activations() = default;
  // n_cols need not be a multiple of 32, but then no block format reads it.
  Activations(size_t max_rows, size_t n_cols);

  // Bytes that n values take in floats and 8 bits.
  static uint64_t bytes_for(uint64_t n) {
    return n * (sizeof(float) + 1) + n / kActivationBlock * (2 * sizeof(float) + sizeof(int32_t)) +
           n / kSumGroup * (sizeof(float) + sizeof(int32_t));
  }

  // Bytes that rows of one kind come to take with these operations.
  static uint64_t bytes_of_rows(const CpuKernels& kernels, uint64_t n_rows, uint64_t n_cols, RowKind kind);

  size_t max_rows() const { return values_.max_rows(); }
  size_t n_cols() const { return values_.n_cols(); }
  const float* row(size_t row_idx) const { return values_.row(row_idx); }
  // The floats of rows first_row..first_row + n_rows, to be written. From here on products refuse each of them until
  // it is quantized. Not while another thread works on the same rows.
  const Matrix& write(size_t first_row, size_t n_rows) const;
  // Whether all of these rows have been quantized since they were written.
  bool are_quantized(size_t first_row, size_t n_rows) const;
  // Makes the other forms of a row, if these operations use any.
  void quantize_row(const CpuKernels& kernels, size_t row_idx, RowKind kind) const;
  // The same for whole blocks of 32 values from column `begin` on, which come into the row itself only if they are
  // kept.
  void quantize_part(const CpuKernels& kernels, size_t row_idx, size_t begin, std::span<const float> values,
                     RowKind kind, bool keeps_values) const;
  // Rows for share_row(): they have no 8-bit form of their own, but one in BF16, which lies together by tiles.
  static Activations shared(size_t max_rows, size_t n_cols);
  static uint64_t bytes_of_shared(uint64_t n) { return n * sizeof(float) + sizeof(QuantizedRow); }
  // This row is row from_row of `from`, whose 8-bit form it shares. The floats are copied where they are wanted.
  void share_row(const CpuKernels& kernels, const Activations& from, size_t from_row, size_t row_idx,
                 bool wants_values) const;
  // Of a row that has been quantized.
  RowKind kind(size_t row_idx) const {
    return static_cast<RowKind>(std::to_integer<uint8_t>(states_.data()[row_idx]) - kFirstKind);
  }
  // Row row_idx in BF16 is row row_idx % tile_rows of this tile (MatmulArgs::bf16).
  uint16_t* tile_of(const CpuKernels& kernels, size_t row_idx) const;
  // The 8-bit form of all rows, or null where it cannot exist.
  const QuantizedRow* quantized() const {
    return quantized_.size() == 0 ? nullptr : quantized_.as<QuantizedRow>(0, values_.max_rows()).data();
  }

 private:
  Matrix values_;
  PageBuffer codes_, scales_, sums16_, sums32_, minus_codes16_, minus_codes32_;
  PageBuffer quantized_;  // [max_rows] QuantizedRow
  // [max_rows] kStale, or kFirstKind + the RowKind it was quantized as.
  static constexpr uint8_t kStale = 0, kFirstKind = 1;
  PageBuffer states_;
  PageBuffer tiles_;  // [max_rows up to whole tiles, n_cols] BF16; written for prompts alone
};

}  // namespace ogas
