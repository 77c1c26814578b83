// What changes rows one by one: norms, sums.
#include "base/check.h"
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

}  // namespace ogas
