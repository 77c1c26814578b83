#include "ops/matrix.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/check.h"

namespace ogas {
namespace {

template <class T>
T* part_of_row(const PageBuffer& buffer, size_t row_idx, size_t n) {
  return buffer.as<T>(row_idx * n * sizeof(T), n).data();
}

size_t bytes_of_tiles(size_t max_rows, size_t n_cols) {
  return (max_rows + Activations::kMaxTileRows) / Activations::kMaxTileRows * Activations::kMaxTileRows * n_cols *
         sizeof(uint16_t);
}

}  // namespace

Activations::Activations(size_t max_rows, size_t n_cols)
    : values_(max_rows, n_cols), states_(max_rows), tiles_(bytes_of_tiles(max_rows, n_cols)) {
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

uint64_t Activations::bytes_of_rows(const CpuKernels& kernels, uint64_t n_rows, uint64_t n_cols, RowKind kind) {
  const uint64_t n = n_rows * n_cols;
  uint64_t bytes = n * sizeof(float) + n_rows * (1 + sizeof(QuantizedRow));
  if (!kernels.quantizes_activations || n_cols % kActivationBlock != 0) return bytes;
  if (kind != RowKind::prefill || kernels.quantizes_prompts) bytes += bytes_for(n) - n * sizeof(float);
  if (kind == RowKind::prefill && kernels.tile_rows > 0) bytes += n * sizeof(uint16_t);
  return bytes;
}

Activations Activations::shared(size_t max_rows, size_t n_cols) {
  Activations rows;
  rows.values_ = Matrix(max_rows, n_cols);
  rows.states_ = PageBuffer(max_rows);
  rows.tiles_ = PageBuffer(bytes_of_tiles(max_rows, n_cols));
  if (n_cols % kActivationBlock == 0) rows.quantized_ = PageBuffer(max_rows * sizeof(QuantizedRow));
  return rows;
}

const Matrix& Activations::write(size_t first_row, size_t n_rows) const {
  OGAS_CHECK(first_row + n_rows <= max_rows(), "rows {} to {} of {}", first_row, first_row + n_rows, max_rows());
  if (n_rows > 0) std::memset(states_.data() + first_row, kStale, n_rows);
  return values_;
}

bool Activations::are_quantized(size_t first_row, size_t n_rows) const {
  if (n_rows == 1) return states_.data()[first_row] != std::byte{kStale};  // as in decoding
  return n_rows == 0 || !std::memchr(states_.data() + first_row, kStale, n_rows);
}

uint16_t* Activations::tile_of(const CpuKernels& kernels, size_t row_idx) const {
  OGAS_CHECK(kernels.tile_rows <= kMaxTileRows, "tiles of {} rows", kernels.tile_rows);
  return tiles_.as<uint16_t>(0, tiles_.size() / sizeof(uint16_t)).data() +
         row_idx / kernels.tile_rows * kernels.tile_rows * values_.n_cols();
}

void Activations::share_row(const CpuKernels& kernels, const Activations& from, size_t from_row, size_t row_idx,
                            bool wants_values) const {
  const size_t n = values_.n_cols();
  OGAS_CHECK(from.values_.n_cols() == n, "{} columns of {}", n, from.values_.n_cols());
  OGAS_CHECK(from.are_quantized(from_row, 1), "row {} was written and not quantized", from_row);
  const RowKind kind = from.kind(from_row);
  states_.data()[row_idx] = from.states_.data()[from_row];
  if (quantized_.size() > 0)
    quantized_.as<QuantizedRow>(row_idx * sizeof(QuantizedRow), 1).front() = from.quantized()[from_row];
  if (wants_values) std::memcpy(values_.row(row_idx), from.row(from_row), n * sizeof(float));
  if (kernels.tile_rows == 0 || kind != RowKind::prefill || n % kActivationBlock != 0) return;
  const uint16_t* source = from.tile_of(kernels, from_row) + from_row % kernels.tile_rows * kActivationBlock;
  uint16_t* destination = tile_of(kernels, row_idx) + row_idx % kernels.tile_rows * kActivationBlock;
  for (size_t at = 0; at < n * kernels.tile_rows; at += kernels.tile_rows * kActivationBlock)
    std::memcpy(destination + at, source + at, kActivationBlock * sizeof(uint16_t));
}

void Activations::quantize_row(const CpuKernels& kernels, size_t row_idx, RowKind kind) const {
  quantize_part(kernels, row_idx, 0, {row(row_idx), values_.n_cols()}, kind, false);
}

void Activations::quantize_part(const CpuKernels& kernels, size_t row_idx, size_t begin, std::span<const float> values,
                                RowKind kind, bool keeps_values) const {
  if (keeps_values) std::ranges::copy(values, values_.row(row_idx) + begin);
  // Threads that share a row all write the same here.
  std::atomic_ref(states_.data()[row_idx])
      .store(static_cast<std::byte>(kFirstKind + static_cast<uint8_t>(kind)), std::memory_order_relaxed);
  if (!kernels.quantizes_activations || quantized_.size() == 0) return;
  OGAS_CHECK(begin % kActivationBlock == 0 && values.size() % kActivationBlock == 0, "{} columns from {} on",
             values.size(), begin);
  if (kernels.tile_rows > 0 && kind == RowKind::prefill)
    kernels.round_to_tile(values.data(), values.size(), row_idx % kernels.tile_rows,
                          tile_of(kernels, row_idx) + begin * kernels.tile_rows);
  if (kind == RowKind::prefill && !kernels.quantizes_prompts) return;
  const QuantizedRow& whole = quantized()[row_idx];
  kernels.quantize(values.data(), values.size(),
                   {whole.codes + begin, whole.scales + begin / kActivationBlock, whole.sums16 + begin / kSumGroup,
                    whole.sums32 + begin / kActivationBlock, whole.minus_codes16 + begin / kSumGroup,
                    whole.minus_codes32 + begin / kActivationBlock});
}

}  // namespace ogas
