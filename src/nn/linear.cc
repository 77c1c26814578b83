#include "nn/linear.h"

#include <algorithm>

#include "base/check.h"

namespace ogas {
namespace {

// Rows a chunk: enough chunks that a core which falls behind is made up for by the others, few enough that handing them
// out costs nothing. Even, since kernels take rows by twos.
size_t rows_per_chunk(size_t n_rows, unsigned n_threads) {
  constexpr size_t kChunksPerThread = 16;
  const size_t rows = n_rows / (size_t{n_threads} * kChunksPerThread);
  return std::max<size_t>(8, rows / 2 * 2);
}

}  // namespace

void Linear::decode_row(size_t o, float* values) const {
  OGAS_CHECK(o < n_out_, "row {} of {}", o, n_out_);
  const FormatFacts& format = facts_of(format_);
  format.decode(weights_ + o * format.bytes_for(n_in_), values, n_in_ / format.block_values);
}

void multiply(Exec& exec, const Activations& x, size_t n_tokens, std::initializer_list<Product> products) {
  size_t n_rows = 0;
  for (const Product& product : products) {
    OGAS_CHECK(product.linear.n_in() == x.values().n_cols() && product.linear.n_out() == product.y.n_cols(),
               "[{}, {}] times {} into {}", product.linear.n_out(), product.linear.n_in(), x.values().n_cols(),
               product.y.n_cols());
    n_rows += product.linear.n_out();
  }
  const size_t chunk_rows = rows_per_chunk(n_rows, exec.pool.size());
  const QuantizedRow* quantized = exec.ops.quantizes_activations ? x.quantized() : nullptr;

  // Rows of all products are numbered through; a chunk may span two of them.
  exec.pool.parallel_for((n_rows + chunk_rows - 1) / chunk_rows, [&](size_t chunk_idx, unsigned) {
    size_t first = 0;
    for (const Product& product : products) {
      const size_t n_out = product.linear.n_out();
      const size_t begin = std::max(chunk_idx * chunk_rows, first);
      const size_t end = std::min((chunk_idx + 1) * chunk_rows, first + n_out);
      if (begin < end)
        exec.ops.matmul({.format = product.linear.format_,
                         .weights = product.linear.weights_,
                         .n_in = product.linear.n_in(),
                         .o_begin = begin - first,
                         .o_end = end - first,
                         .n_tokens = n_tokens,
                         .x = x.values().data(),
                         .quantized = quantized,
                         .y = product.y.data(),
                         .y_stride = product.y.n_cols()});
      first += n_out;
    }
  });
}

}  // namespace ogas
