#include "nn/embeddings.h"

namespace ogas {

void Embeddings::read_from(const TensorFile& file) {
  if (rows.n_out() == 0 || rows.has_panels()) return;
  const Bytes stored = rows.stored();
  file_ = file.find_shard(stored);
  if (!file_) return;  // copied
  file_->release(stored);
}

Result<> Embeddings::read(std::span<const std::byte> stored, std::span<std::byte> buffer) const {
  return file_->read(stored, buffer);
}

}  // namespace ogas
