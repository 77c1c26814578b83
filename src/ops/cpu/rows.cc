// What changes rows one by one: norms, sums, embeddings.
#include <algorithm>

#include "base/check.h"
#include "base/first_error.h"
#include "ops/cpu/cpu_device.h"

namespace ogas {

void CpuDevice::rms_norm(const Matrix& x, std::span<const RowKind> kinds, std::span<const float> weight, float eps,
                         const Activations& y) {
  OGAS_CHECK(weight.size() == x.n_cols() && y.n_cols() == x.n_cols(), "{} weights for {} columns", weight.size(),
             x.n_cols());
  const Matrix& values = y.write(0, kinds.size());
  pool_.parallel_for(kinds.size(), [&](size_t t, unsigned) {
    kernels_.rms_norm(x.row(t), weight.data(), eps, x.n_cols(), values.row(t));
    y.quantize_row(kernels_, t, kinds[t]);
  });
}

void CpuDevice::quantize(const Activations& x, std::span<const RowKind> kinds) {
  pool_.parallel_for(kinds.size(), [&](size_t t, unsigned) { x.quantize_row(kernels_, t, kinds[t]); });
}

void CpuDevice::add_normed(const Matrix& y, const Matrix& x, std::span<const float> weight, float eps, size_t n_rows) {
  OGAS_CHECK(weight.size() == x.n_cols(), "{} weights for {} columns", weight.size(), x.n_cols());
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) {
    kernels_.rms_norm(x.row(t), weight.data(), eps, x.n_cols(), x.row(t));
    kernels_.add(y.row(t), x.row(t), x.n_cols());
  });
}

void CpuDevice::soft_cap(const Matrix& x, float cap, size_t n_rows) {
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) { kernels_.soft_cap(x.row(t), x.n_cols(), cap); });
}

void CpuDevice::add(const Matrix& y, const Matrix& x, size_t n_rows) {
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) { kernels_.add(y.row(t), x.row(t), x.n_cols()); });
}

void CpuDevice::add_bias(const Matrix& y, std::span<const float> bias, size_t n_rows) {
  OGAS_CHECK(bias.size() == y.n_cols(), "a bias of {} for {} columns", bias.size(), y.n_cols());
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) { kernels_.add(y.row(t), bias.data(), bias.size()); });
}

void CpuDevice::copy_rows(const Matrix& x, std::span<const uint32_t> rows, const Matrix& y) {
  OGAS_CHECK(x.n_cols() == y.n_cols() && rows.size() <= y.max_rows(), "{} rows of {} columns into {} of {}",
             rows.size(), x.n_cols(), y.max_rows(), y.n_cols());
  for (size_t idx = 0; idx < rows.size(); ++idx) std::copy_n(x.row(rows[idx]), x.n_cols(), y.row(idx));
}

void CpuDevice::rms_norm_of(const Matrix& x, std::span<const uint32_t> rows, std::span<const float> weight, float eps,
                            const Matrix& y) {
  OGAS_CHECK(weight.size() == x.n_cols() && y.n_cols() == x.n_cols(), "{} weights for {} columns, to {}", weight.size(),
             x.n_cols(), y.n_cols());
  pool_.parallel_for(rows.size(), [&](size_t idx, unsigned) {
    kernels_.rms_norm(x.row(rows[idx]), weight.data(), eps, x.n_cols(), y.row(idx));
  });
}

void CpuDevice::rms_norm_pair(const NormedMatrix& a, const NormedMatrix& b, std::span<const RowKind> kinds, float eps,
                              const Activations& y) {
  const size_t n_a = a.x.n_cols(), n_b = b.x.n_cols();
  OGAS_CHECK(a.weight.size() == n_a && b.weight.size() == n_b && y.n_cols() == n_a + n_b,
             "{} and {} weights for {} and {} columns, to {}", a.weight.size(), b.weight.size(), n_a, n_b, y.n_cols());
  const Matrix& values = y.write(0, kinds.size());
  pool_.parallel_for(kinds.size(), [&](size_t t, unsigned) {
    kernels_.rms_norm(a.x.row(t), a.weight.data(), eps, n_a, values.row(t));
    kernels_.rms_norm(b.x.row(t), b.weight.data(), eps, n_b, values.row(t) + n_a);
    y.quantize_row(kernels_, t, kinds[t]);
  });
}

namespace {

Result<> embed_row(const CpuKernels& kernels, ScratchArena& own, const EmbeddingRows& e, size_t token, float* values) {
  if (!e.reader) {
    e.rows.decode_packed_row(kernels, token, values);
    return {};
  }
  const Linear row = e.rows.rows(token, 1);
  const std::span<const std::byte> stored = row.stored();
  const ScratchArena::Frame frame(own);
  const std::span<std::byte> buffer = own.take<std::byte>(stored.size());
  OGAS_TRY(e.reader->read(stored, buffer));
  row.at(buffer.data()).decode_row(0, values);
  return {};
}

}  // namespace

Result<> CpuDevice::embed(const EmbeddingRows& embeddings, std::span<const int32_t> tokens, float scale,
                          const Matrix& y) {
  OGAS_CHECK(embeddings.rows.n_in() == y.n_cols() && tokens.size() <= y.max_rows(), "{} rows of {} into {} of {}",
             tokens.size(), embeddings.rows.n_in(), y.max_rows(), y.n_cols());
  FirstError error;
  pool_.parallel_for(tokens.size(), [&](size_t t, unsigned thread_idx) {
    error.add(
        embed_row(kernels_, scratch_.of_thread(thread_idx), embeddings, static_cast<size_t>(tokens[t]), y.row(t)));
    if (scale == 1) return;
    for (float& value : std::span(y.row(t), y.n_cols())) value *= scale;
  });
  return std::move(error).result();
}

void CpuDevice::prepare_angles(const RopeAngles& angles, std::span<const size_t> positions) {
  pool_.parallel_for(positions.size(), [&](size_t t, unsigned) { angles.prepare(t, positions[t]); });
}

}  // namespace ogas
