// A matrix cut into pieces that are made ready for multiplication each on its own, on any thread: panels, or a copy of
// its rows where these operations have none for it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "ops/linear.h"

namespace ogas {

class MatrixPieces {
 public:
  // Pieces of about n_bytes stored bytes, at least a panel. Operations and layer must outlive it.
  MatrixPieces(const CpuKernels& kernels, const Linear& linear, size_t n_bytes);

  size_t size() const { return (n_steps_ + step_ - 1) / step_; }
  // What a piece is made of, where the layer has it.
  std::span<const std::byte> stored(size_t idx) const;
  // Writes a piece to where it belongs in `whole`, which has space for all of them.
  void write(size_t idx, std::byte* whole) const;

 private:
  size_t begin_of(size_t idx) const { return idx * step_; }
  size_t end_of(size_t idx) const { return std::min(n_steps_, begin_of(idx) + step_); }

  const CpuKernels& kernels_;
  const Linear& linear_;
  bool has_panels_;
  size_t n_steps_, step_;  // panels or bytes: all, and of a piece
};

}  // namespace ogas
