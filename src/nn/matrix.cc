#include "nn/matrix.h"

#include "base/check.h"

namespace ogas {

Activations::Activations(size_t max_rows, size_t n_cols) : values_(max_rows, n_cols) {
  if (n_cols % kActivationBlock != 0) return;
  const size_t n_scales = n_cols / kActivationBlock;
  const size_t n_sums = n_cols / kSumGroup;
  codes_ = PageBuffer(max_rows * n_cols);
  scales_ = PageBuffer(max_rows * n_scales * sizeof(float));
  sums_ = PageBuffer(max_rows * n_sums * sizeof(float));
  code_sums_ = PageBuffer(max_rows * n_sums * sizeof(int32_t));
  for (size_t row_idx = 0; row_idx < max_rows; ++row_idx)
    quantized_.push_back({.codes = codes_.as<int8_t>(row_idx * n_cols, n_cols).data(),
                          .scales = scales_.as<float>(row_idx * n_scales * sizeof(float), n_scales).data(),
                          .sums = sums_.as<float>(row_idx * n_sums * sizeof(float), n_sums).data(),
                          .code_sums = code_sums_.as<int32_t>(row_idx * n_sums * sizeof(int32_t), n_sums).data()});
}

void Activations::quantize_row(const Ops& ops, size_t row_idx) const {
  quantize_part(ops, row_idx, 0, values_.n_cols());
}

void Activations::quantize_part(const Ops& ops, size_t row_idx, size_t begin, size_t end) const {
  if (!ops.quantizes_activations || quantized_.empty()) return;
  OGAS_CHECK(begin % kActivationBlock == 0 && end % kActivationBlock == 0, "columns {} to {}", begin, end);
  const QuantizedRow& whole = quantized_[row_idx];
  ops.quantize(row(row_idx) + begin, end - begin,
               {whole.codes + begin, whole.scales + begin / kActivationBlock, whole.sums + begin / kSumGroup,
                whole.code_sums + begin / kSumGroup});
}

}  // namespace ogas
