#include "nn/embeddings.h"

#include <algorithm>
#include <utility>

namespace ogas {

void Embeddings::read_from(const TensorFile& file) {
  if (rows.n_out() == 0 || rows.has_panels()) return;
  const Bytes stored = rows.stored();
  file_ = file.find_shard(stored);
  if (!file_) return;  // copied
  file_->release(stored);
}

void Embeddings::decode_row(const CpuKernels& kernels, ScratchArena& own, size_t o, float* values) {
  if (!file_) return rows.decode_packed_row(kernels, o, values);
  const Linear row = rows.rows(o, 1);
  const Bytes stored = row.stored();
  const ScratchArena::Frame frame(own);
  const std::span<std::byte> buffer = own.take<std::byte>(stored.size());
  if (auto read = file_->read(stored, buffer); !read) {
    std::fill_n(values, rows.n_in(), 0.0F);
    const std::lock_guard lock(mutex_);
    if (result_) result_ = std::move(read);
    has_failed_.store(true, std::memory_order_relaxed);
    return;
  }
  row.at(buffer.data()).decode_row(0, values);
}

Result<> Embeddings::take_error() {
  if (!has_failed()) return {};
  const std::lock_guard lock(mutex_);
  has_failed_.store(false, std::memory_order_relaxed);
  return std::exchange(result_, Result<>());
}

}  // namespace ogas
