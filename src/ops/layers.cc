#include "ops/layers.h"

#include "base/check.h"

namespace ogas {

void rms_norm(Exec& exec, const Matrix& x, std::span<const RowKind> kinds, std::span<const float> weight, float eps,
              const Activations& y) {
  OGAS_CHECK(weight.size() == x.n_cols() && y.n_cols() == x.n_cols(), "{} weights for {} columns", weight.size(),
             x.n_cols());
  const Matrix& values = y.write(0, kinds.size());
  exec.pool.parallel_for(kinds.size(), [&](size_t t, unsigned) {
    exec.kernels.rms_norm(x.row(t), weight.data(), eps, x.n_cols(), values.row(t));
    y.quantize_row(exec.kernels, t, kinds[t]);
  });
}

void add_normed(Exec& exec, const Matrix& y, const Matrix& x, std::span<const float> weight, float eps,
                size_t n_tokens) {
  OGAS_CHECK(weight.size() == x.n_cols(), "{} weights for {} columns", weight.size(), x.n_cols());
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) {
    exec.kernels.rms_norm(x.row(t), weight.data(), eps, x.n_cols(), x.row(t));
    exec.kernels.add(y.row(t), x.row(t), x.n_cols());
  });
}

void soft_cap(Exec& exec, const Matrix& x, float cap, size_t n_tokens) {
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) { exec.kernels.soft_cap(x.row(t), x.n_cols(), cap); });
}

void add(Exec& exec, const Matrix& y, const Matrix& x, size_t n_tokens) {
  exec.pool.parallel_for(n_tokens, [&](size_t t, unsigned) { exec.kernels.add(y.row(t), x.row(t), x.n_cols()); });
}

}  // namespace ogas
