#include "ops/matrix_pieces.h"

#include <cstring>

namespace ogas {

MatrixPieces::MatrixPieces(const CpuKernels& kernels, const Linear& linear, size_t n_bytes)
    : kernels_(kernels), linear_(linear), has_panels_(linear.panel_bytes(kernels) > 0) {
  const size_t n_stored = linear.stored().size();
  n_steps_ = has_panels_ ? linear.n_panels(kernels) : n_stored;
  step_ = has_panels_ ? std::max<size_t>(1, n_bytes / (n_stored / linear.n_out() * kernels.panel_rows)) : n_bytes;
}

std::span<const std::byte> MatrixPieces::stored(size_t idx) const {
  const size_t begin = begin_of(idx), end = end_of(idx);
  if (!has_panels_) return linear_.stored().subspan(begin, end - begin);
  return linear_.stored_rows(begin * kernels_.panel_rows, std::min(linear_.n_out(), end * kernels_.panel_rows));
}

void MatrixPieces::write(size_t idx, std::byte* whole) const {
  if (has_panels_)
    for (size_t panel = begin_of(idx); panel < end_of(idx); ++panel) linear_.pack_panel(kernels_, panel, whole);
  else
    std::memcpy(whole + begin_of(idx), stored(idx).data(), stored(idx).size());
}

}  // namespace ogas
