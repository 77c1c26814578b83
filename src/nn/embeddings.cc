#include "nn/embeddings.h"

namespace ogas {

void Embeddings::read_from(const TensorFile& file) {
  if (rows.n_out() == 0 || rows.has_panels()) return;
  const Bytes stored = rows.stored();
  file_ = file.find_shard(stored);
  if (!file_) return;  // copied
  file_->release(stored);
}

Result<> Embeddings::decode_row(const CpuKernels& kernels, ScratchArena& own, size_t o, float* values) const {
  if (!file_) {
    rows.decode_packed_row(kernels, o, values);
    return {};
  }
  const Linear row = rows.rows(o, 1);
  const Bytes stored = row.stored();
  const ScratchArena::Frame frame(own);
  const std::span<std::byte> buffer = own.take<std::byte>(stored.size());
  OGAS_TRY(file_->read(stored, buffer));
  row.at(buffer.data()).decode_row(0, values);
  return {};
}

}  // namespace ogas
