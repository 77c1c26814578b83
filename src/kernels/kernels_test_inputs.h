// Activations and panels as tests and the fuzz target of kernels make them; needs no GoogleTest.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/cpu_kernels.h"

namespace ogas {

// Rows of activations with their 8-bit form.
class Quantized {
 public:
  Quantized(const CpuKernels& kernels, const std::vector<float>& x, size_t n_in) : n_in_(n_in) {
    const size_t n_rows = x.size() / n_in;
    const size_t n_blocks = n_in / kActivationBlock, n_groups = n_in / kSumGroup;
    codes_.resize(x.size());
    scales_.resize(n_rows * n_blocks);
    sums16_.resize(n_rows * n_groups);
    sums32_.resize(n_rows * n_blocks);
    minus_codes16_.resize(n_rows * n_groups);
    minus_codes32_.resize(n_rows * n_blocks);
    for (size_t t = 0; t < n_rows; ++t) {
      rows.push_back({&codes_[t * n_in], &scales_[t * n_blocks], &sums16_[t * n_groups], &sums32_[t * n_blocks],
                      &minus_codes16_[t * n_groups], &minus_codes32_[t * n_blocks]});
      kernels.quantize(&x[t * n_in], n_in, rows.back());
    }
  }
  // The values that the codes represent.
  std::vector<float> values() const {
    std::vector<float> values(codes_.size());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = scales_[i / kActivationBlock] * static_cast<float>(codes_[i]);
    return values;
  }
  std::vector<QuantizedRow> rows;

 private:
  size_t n_in_;
  std::vector<int8_t> codes_;
  std::vector<float> scales_, sums16_, sums32_;
  std::vector<int32_t> minus_codes16_, minus_codes32_;
};

// Panels of some of the rows of a matrix; empty where these operations have none for the format.
class Panels {
 public:
  Panels(const CpuKernels& kernels, Format format, const std::byte* weights, size_t n_out, size_t n_in,
         size_t first_row, size_t row_step) {
    const size_t bytes = kernels.panel_bytes(format, n_in);
    if (bytes == 0) return;
    const size_t n_panels = (n_out + kernels.panel_rows - 1) / kernels.panel_rows;
    bytes_.assign(n_panels * bytes + kPanelAlignment, std::byte{0xA5});
    const size_t misaligned = reinterpret_cast<uintptr_t>(bytes_.data()) % kPanelAlignment;
    data_ = bytes_.data() + (kPanelAlignment - misaligned) % kPanelAlignment;
    for (size_t panel = 0; panel < n_panels; ++panel)
      kernels.pack_panel({.format = format,
                          .weights = weights,
                          .n_in = n_in,
                          .first_row = first_row + panel * kernels.panel_rows * row_step,
                          .row_step = row_step,
                          .n_rows = std::min(kernels.panel_rows, n_out - panel * kernels.panel_rows),
                          .panel = data_ + panel * bytes});
  }
  const std::byte* data() const { return data_; }

 private:
  std::vector<std::byte> bytes_;
  std::byte* data_ = nullptr;
};

// Tiles of activations, rows up to whole ones.
inline std::vector<uint16_t> make_tiles(const CpuKernels& kernels, const std::vector<float>& x, size_t n_in) {
  const size_t n_tokens = x.size() / n_in,
               n_rows = (n_tokens + kernels.tile_rows - 1) / kernels.tile_rows * kernels.tile_rows;
  std::vector<uint16_t> tiles(n_rows * n_in, 0x7FC0);  // NaN: rows that are not there must touch no other
  for (size_t t = 0; t < n_tokens; ++t) {
    uint16_t* tile = tiles.data() + t / kernels.tile_rows * kernels.tile_rows * n_in;
    kernels.round_to_tile(&x[t * n_in], 32, t % kernels.tile_rows, tile);
    kernels.round_to_tile(&x[t * n_in] + 32, n_in - 32, t % kernels.tile_rows, tile + 32 * kernels.tile_rows);
  }
  return tiles;
}

}  // namespace ogas
