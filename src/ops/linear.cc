#include "ops/linear.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/read_row.h"

namespace ogas {

// Enough chunks that the others make up for a core that is slow, few enough that handing them out costs nothing. Chunks
// are whole panels, as many as operations multiply at a time (16 rows, twice, at most). With many tokens a chunk has as
// many outputs as share one read of the activations (kTilePanels), which many threads would otherwise wait for, as long
// as each thread has some chunks still.
size_t outputs_per_chunk(size_t n_out, unsigned n_threads, size_t n_tokens) {
  constexpr size_t kChunksPerThread = 16, kMinPerThread = 4, kRows = 32, kSharingRows = 256, kManyTokens = 64;
  size_t outputs = n_out / (size_t{n_threads} * kChunksPerThread);
  if (n_tokens >= kManyTokens)
    outputs = std::max(outputs, std::min(kSharingRows, n_out / (size_t{n_threads} * kMinPerThread)));
  return std::max(kRows, outputs / kRows * kRows);
}

// Whole tiles of rows: fewer than all, where the activations of enough rows fit the L2 cache that decoding
// weights to tiles again for these costs little (kTileTokens). A thread then finds in its cache the rows that it worked
// on before.
size_t rows_per_chunk(const CpuKernels& kernels, size_t n_in, size_t n_rows) {
  constexpr size_t kFittingBytes = size_t{1} << 20, kEnough = 256;
  const size_t row_bytes = n_in * sizeof(uint16_t);
  const bool cuts = kernels.tile_rows > 0 && n_rows > kEnough && kEnough * row_bytes <= kFittingBytes;
  return cuts ? kEnough : std::max<size_t>(n_rows, 1);
}

Linear Linear::transposed(Format format, const std::byte* weights, size_t n_out, size_t n_in) {
  OGAS_CHECK(is_plain(format), "{}", facts_of(format).name);
  Linear linear(format, weights, n_out, n_in);
  linear.n_columns_ = n_out;
  return linear;
}

Linear Linear::rows(size_t first_row, size_t n_rows) const {
  OGAS_CHECK(first_row + n_rows <= n_out_, "rows {} to {} of {}", first_row, first_row + n_rows, n_out_);
  Linear part = *this;
  part.first_row_ = first_row_ + first_row * row_step_;
  part.panel_row_ = panel_row_ + first_row;
  part.n_out_ = n_rows;
  return part;
}

Linear Linear::every(size_t step, size_t first_row) const {
  OGAS_CHECK(step > 0 && first_row < step && n_out_ % step == 0, "every {}th of {} rows from {} on", step, n_out_,
             first_row);
  Linear part = rows(first_row, n_out_ - first_row);
  part.row_step_ = row_step_ * step;
  if (step > 1) part.panels_ = nullptr;
  part.n_out_ = n_out_ / step;
  return part;
}

void Linear::decode_packed_row(const CpuKernels& kernels, size_t o, float* values) const {
  if (!panels_) return decode_row(o, values);
  OGAS_CHECK(o < n_out_, "row {} of {}", o, n_out_);
  const size_t row = panel_row_ + o;
  kernels.read_panel_row(format_, panels_ + row / kernels.panel_rows * kernels.panel_bytes(format_, n_in_), n_in_,
                         row % kernels.panel_rows, values);
}

void Linear::decode_row(size_t o, float* values) const {
  OGAS_CHECK(o < n_out_, "row {} of {}", o, n_out_);
  read_row(matmul_args(o, o + 1), o, {values, n_in_});
}

MatmulArgs Linear::matmul_args(size_t o_begin, size_t o_end) const {
  return {.format = format_,
          .weights = weights_,
          .n_in = n_in_,
          .block_scales = block_scales_,
          .scales = scales_,
          .first_row = first_row_,
          .row_step = row_step_,
          .n_columns = n_columns_,
          .panels = panels_,
          .panel_row = panel_row_,
          .o_begin = o_begin,
          .o_end = o_end,
          .n_tokens = 0,
          .x = nullptr,
          .quantized = nullptr,
          .y = nullptr,
          .y_stride = 0};
}

std::span<const std::byte> Linear::stored_rows(size_t o_begin, size_t o_end) const {
  OGAS_CHECK(o_begin < o_end && o_end <= n_out_ && n_columns_ == 0, "rows {} to {} of {}", o_begin, o_end, n_out_);
  const size_t row_bytes = facts_of(format_).bytes_for(n_in_);
  return {weights_ + (first_row_ + o_begin * row_step_) * row_bytes,
          ((o_end - 1 - o_begin) * row_step_ + 1) * row_bytes};
}

std::span<const std::byte> Linear::stored() const {
  if (n_columns_ == 0) return stored_rows(0, n_out_);
  return {weights_, n_in_ * facts_of(format_).bytes_for(n_columns_)};
}

std::span<const std::byte> Linear::stored_scales() const {
  if (!scales_) return {};
  const size_t n = n_in_ / facts_of(format_).block_values;
  return {scales_ + first_row_ * n, ((n_out_ - 1) * row_step_ + 1) * n};
}

Linear Linear::at(const std::byte* copy_of_stored, const std::byte* copy_of_scales) const {
  Linear moved = *this;
  if (copy_of_scales) moved.scales_ = copy_of_scales - (stored_scales().data() - scales_);
  moved.weights_ = copy_of_stored - (stored().data() - weights_);
  moved.panels_ = nullptr;
  moved.panel_row_ = 0;
  return moved;
}

uint64_t Linear::panel_bytes(const CpuKernels& kernels) const {
  return n_columns_ > 0 || kernels.panel_rows == 0 ? 0 : n_panels(kernels) * kernels.panel_bytes(format_, n_in_);
}

void Linear::pack_panel(const CpuKernels& kernels, size_t panel_idx, std::byte* panels) const {
  const size_t o_begin = panel_idx * kernels.panel_rows;
  kernels.pack_panel({.format = format_,
                      .weights = weights_,
                      .n_in = n_in_,
                      .first_row = first_row_ + o_begin * row_step_,
                      .row_step = row_step_,
                      .n_rows = std::min(kernels.panel_rows, n_out_ - o_begin),
                      .panel = panels + panel_idx * kernels.panel_bytes(format_, n_in_)});
}

void Linear::use_panels(const std::byte* panels) {
  panels_ = panels;
  panel_row_ = 0;
}

bool Linear::reads_values(const CpuKernels& kernels) const {
  return !kernels.quantizes_activations || n_in_ % kActivationBlock != 0 || facts_of(format_).block_values == 1;
}

bool Linear::same_rows_as(const Linear& other) const {
  return weights_ == other.weights_ && first_row_ == other.first_row_ && row_step_ == other.row_step_ &&
         n_out_ == other.n_out_ && n_in_ == other.n_in_;
}

void Linear::multiply_into(const CpuKernels& kernels, const Activations& x, size_t x_row, size_t n_rows, float* y,
                           size_t y_stride) const {
  MatmulCall{*this, x, x_row, n_rows, 0, n_out_}.run(kernels, y, y_stride);
}

void MatmulCall::run(const CpuKernels& kernels, const Matrix& y) const {
  OGAS_CHECK(linear.n_out() <= y.n_cols(), "{} outputs into {} columns", linear.n_out(), y.n_cols());
  run_with(kernels, true, y.row(first_row) + o_begin, y.n_cols());
}

void MatmulCall::run_in_f32(const CpuKernels& kernels, const Matrix& y) const {
  run_with(kernels, false, y.row(first_row) + o_begin, y.n_cols());
}

void MatmulCall::run_with(const CpuKernels& kernels, bool rounds_x, float* y_data, size_t y_stride) const {
  OGAS_CHECK(linear.n_in() == x.n_cols() && o_end <= linear.n_out(), "[{}, {}] times {}", linear.n_out(), linear.n_in(),
             x.n_cols());
  OGAS_CHECK(!rounds_x || x.are_quantized(first_row, n_rows), "of rows {} to {} one was written and not quantized",
             first_row, first_row + n_rows);
  MatmulArgs args = linear.matmul_args(o_begin, o_end);
  const QuantizedRow* quantized = rounds_x && kernels.quantizes_activations ? x.quantized() : nullptr;
  args.keeps_x = !rounds_x;
  args.y_stride = y_stride;
  const bool uses_tiles = quantized && kernels.tile_rows > 0 && args.panels;
  // Where kinds of rows differ in how they are multiplied, run by run.
  for (size_t begin = first_row, end = begin; begin < first_row + n_rows; begin = end) {
    end = first_row + n_rows;
    if (uses_tiles)
      for (end = begin + 1; end < first_row + n_rows && x.kind(end) == x.kind(begin);) ++end;
    args.n_tokens = end - begin;
    args.x = x.row(begin);
    args.quantized = quantized ? quantized + begin : nullptr;
    args.bf16 = uses_tiles && x.kind(begin) == RowKind::prefill ? x.tile_of(kernels, begin) : nullptr;
    args.bf16_skip = args.bf16 ? begin % kernels.tile_rows : 0;
    args.y = y_data + (begin - first_row) * y_stride;
    OGAS_CHECK(kernels.quantizes_prompts || args.bf16 || !quantized || x.kind(begin) != RowKind::prefill ||
                   linear.reads_values(kernels),
               "rows of a prompt have no 8-bit form");
    kernels.matmul(args);
  }
}

}  // namespace ogas
