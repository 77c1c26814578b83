#include "kernels/read_row.h"

#include "quant/f8_e4m3.h"
#include "quant/mxfp4_split.h"

namespace ogas {
namespace {

// FP8: each value times the factor of its 128 x 128 block.
void scale_f8_row(const float* block_scales, size_t row_idx, std::span<float> row) {
  const size_t n_scales = (row.size() + kF8Block - 1) / kF8Block;
  for (size_t i = 0; i < row.size(); ++i) row[i] *= block_scales[row_idx / kF8Block * n_scales + i / kF8Block];
}

// MXFP4 in two tensors: each value times the power of two of its 32.
void scale_mxfp4_row(const std::byte* scales, size_t row_idx, std::span<float> row) {
  for (size_t i = 0; i < row.size(); ++i)
    row[i] = 2 * row[i] * half_of_e8m0(byte_at(scales, (row_idx * row.size() + i) / MXFP4_SPLIT::values));
}

}  // namespace

void read_row(const MatmulArgs& args, size_t o, std::span<float> row) {
  const FormatFacts& format = facts_of(args.format);
  const size_t row_idx = args.first_row + o * args.row_step;
  if (args.n_columns > 0) {
    for (size_t i = 0; i < row.size(); ++i)
      format.decode(args.weights + (i * args.n_columns + row_idx) * format.block_bytes, &row[i], 1);
    return;
  }
  format.decode(args.weights + row_idx * format.bytes_for(row.size()), row.data(), row.size() / format.block_values);
  if (args.format == Format::f8_e4m3) scale_f8_row(args.block_scales, row_idx, row);
  if (args.format == Format::mxfp4_split) scale_mxfp4_row(args.scales, row_idx, row);
}

}  // namespace ogas
