// Matrix products on all threads.
#include <algorithm>

#include "ops/cpu/cpu_device.h"

namespace ogas {

void CpuDevice::multiply(const Activations& x, size_t n_rows, std::initializer_list<Product> products) {
  size_t n_out = 0;
  for (const Product& product : products) n_out += product.linear.n_out();
  const size_t chunk_size = outputs_per_chunk(n_out, pool_.size(), n_rows);
  const size_t n_chunks = (n_out + chunk_size - 1) / chunk_size;
  const size_t max_rows = rows_per_chunk(kernels_, x.n_cols(), n_rows);
  // Outputs of all products are numbered through; a chunk may span two of them.
  pool_.parallel_for((n_rows + max_rows - 1) / max_rows * n_chunks, [&](size_t job_idx, unsigned) {
    const size_t row = job_idx / n_chunks * max_rows, n = std::min(max_rows, n_rows - row);
    const size_t first_output = job_idx % n_chunks * chunk_size;
    size_t first = 0;
    for (const Product& product : products) {
      const size_t begin = std::max(first_output, first);
      const size_t end = std::min(first_output + chunk_size, first + product.linear.n_out());
      if (begin < end) MatmulCall{product.linear, x, row, n, begin - first, end - first}.run(kernels_, product.y);
      first += product.linear.n_out();
    }
  });
}

void CpuDevice::multiply_in_f32(const Linear& linear, const Activations& x, size_t n_rows, size_t n_together,
                                const Matrix& y) {
  const size_t chunk_size = outputs_per_chunk(linear.n_out(), pool_.size(), n_together);
  const size_t n_chunks = (linear.n_out() + chunk_size - 1) / chunk_size;
  pool_.parallel_for((n_rows + n_together - 1) / n_together * n_chunks, [&](size_t job_idx, unsigned) {
    const size_t t = job_idx / n_chunks * n_together, begin = job_idx % n_chunks * chunk_size;
    MatmulCall{linear, x, t, std::min(n_together, n_rows - t), begin, std::min(begin + chunk_size, linear.n_out())}
        .run_in_f32(kernels_, y);
  });
}

}  // namespace ogas
