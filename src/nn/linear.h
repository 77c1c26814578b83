// Linear layers over weights that stay in their file's format and place.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>

#include "nn/exec.h"
#include "nn/matrix.h"

namespace ogas {

// y = W x. A view: the mapped file owns the weights.
class Linear {
 public:
  Linear() = default;
  Linear(Format format, const std::byte* weights, size_t n_out, size_t n_in)
      : format_(format), weights_(weights), n_out_(n_out), n_in_(n_in) {}

  size_t n_out() const { return n_out_; }
  size_t n_in() const { return n_in_; }
  // Row o of the weights as floats [n_in]: an embedding's vector.
  void decode_row(size_t o, float* values) const;

 private:
  friend void multiply(Exec&, const Activations&, size_t, std::initializer_list<struct Product>);

  Format format_ = Format::f32;
  const std::byte* weights_ = nullptr;
  size_t n_out_ = 0;
  size_t n_in_ = 0;
};

struct Product {
  const Linear& linear;
  const Matrix& y;  // its n_cols must be the layer's n_out
};

// Rows 0..n_tokens of every product's y, from the same x, as one parallel region: q, k and v, or gate and up, meet at
// one barrier instead of three or two.
void multiply(Exec& exec, const Activations& x, size_t n_tokens, std::initializer_list<Product> products);

}  // namespace ogas
