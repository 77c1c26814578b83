#include "nn/matrix.h"

#include <cstring>

#include "base/check.h"

namespace ogas {
namespace {

template <class T>
T* part_of_row(const PageBuffer& buffer, size_t row_idx, size_t n) {
  return buffer.as<T>(row_idx * n * sizeof(T), n).data();
}

}  // namespace

Activations::Activations(size_t max_rows, size_t n_cols) : values_(max_rows, n_cols) {
  if (n_cols % kActivationBlock != 0) return;
  const size_t n_blocks = n_cols / kActivationBlock;
  const size_t n_groups = n_cols / kSumGroup;
  codes_ = PageBuffer(max_rows * n_cols);
  scales_ = PageBuffer(max_rows * n_blocks * sizeof(float));
  sums16_ = PageBuffer(max_rows * n_groups * sizeof(float));
  sums32_ = PageBuffer(max_rows * n_blocks * sizeof(float));
  minus_codes16_ = PageBuffer(max_rows * n_groups * sizeof(int32_t));
  minus_codes32_ = PageBuffer(max_rows * n_blocks * sizeof(int32_t));
  quantized_ = PageBuffer(max_rows * sizeof(QuantizedRow));
  const std::span<QuantizedRow> rows = quantized_.as<QuantizedRow>(0, max_rows);
  for (size_t row_idx = 0; row_idx < max_rows; ++row_idx)
    rows[row_idx] = {.codes = part_of_row<int8_t>(codes_, row_idx, n_cols),
                     .scales = part_of_row<float>(scales_, row_idx, n_blocks),
                     .sums16 = part_of_row<float>(sums16_, row_idx, n_groups),
                     .sums32 = part_of_row<float>(sums32_, row_idx, n_blocks),
                     .minus_codes16 = part_of_row<int32_t>(minus_codes16_, row_idx, n_groups),
                     .minus_codes32 = part_of_row<int32_t>(minus_codes32_, row_idx, n_blocks)};
}

Activations Activations::shared(size_t max_rows, size_t n_cols) {
  Activations rows;
  rows.values_ = Matrix(max_rows, n_cols);
  if (n_cols % kActivationBlock == 0) rows.quantized_ = PageBuffer(max_rows * sizeof(QuantizedRow));
  return rows;
}

void Activations::share_row(const Activations& from, size_t from_row, size_t row_idx, bool wants_values) const {
  OGAS_CHECK(from.values_.n_cols() == values_.n_cols(), "{} columns of {}", values_.n_cols(), from.values_.n_cols());
  if (quantized_.size() > 0)
    quantized_.as<QuantizedRow>(row_idx * sizeof(QuantizedRow), 1).front() = from.quantized()[from_row];
  if (wants_values) std::memcpy(row(row_idx), from.row(from_row), values_.n_cols() * sizeof(float));
}

void Activations::quantize_row(const Ops& ops, size_t row_idx) const {
  quantize_part(ops, row_idx, 0, values_.n_cols());
}

void Activations::quantize_part(const Ops& ops, size_t row_idx, size_t begin, size_t end) const {
  if (!ops.quantizes_activations || quantized_.size() == 0) return;
  OGAS_CHECK(begin % kActivationBlock == 0 && end % kActivationBlock == 0, "columns {} to {}", begin, end);
  const QuantizedRow& whole = quantized()[row_idx];
  ops.quantize(row(row_idx) + begin, end - begin,
               {whole.codes + begin, whole.scales + begin / kActivationBlock, whole.sums16 + begin / kSumGroup,
                whole.sums32 + begin / kActivationBlock, whole.minus_codes16 + begin / kSumGroup,
                whole.minus_codes32 + begin / kActivationBlock});
}

}  // namespace ogas
