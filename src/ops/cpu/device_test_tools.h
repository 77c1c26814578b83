// What tests of a device's operations share: random tensors, and every device there is.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "kernels/dispatch.h"
#include "ops/cpu/local_exec.h"

namespace ogas {

class RandomTensors {
 public:
  explicit RandomTensors(unsigned seed) : random_(seed) {}
  std::vector<float> values(size_t n, float deviation = 1) {
    std::vector<float> values(n);
    for (float& value : values) value = deviation * normal_(random_);
    return values;
  }
  Matrix matrix(size_t n_rows, size_t n_cols) {
    Matrix matrix(n_rows, n_cols);
    fill(matrix, 0, n_rows);
    return matrix;
  }
  void fill(const Matrix& matrix, size_t first_row, size_t n_rows) {
    for (float& value : std::span(matrix.row(first_row), n_rows * matrix.n_cols())) value = normal_(random_);
  }
  // Rows that may be multiplied with.
  Activations activations(const CpuKernels& kernels, size_t n_rows, size_t n_cols, RowKind kind = RowKind::decode) {
    Activations rows(n_rows, n_cols);
    fill(rows.write(0, n_rows), 0, n_rows);
    for (size_t t = 0; t < n_rows; ++t) rows.quantize_row(kernels, t, kind);
    return rows;
  }

 private:
  std::mt19937 random_;
  std::normal_distribution<float> normal_;
};

// F32 weights [n_out, n_in] that it owns.
struct RandomLinear {
  RandomLinear(RandomTensors& random, size_t n_out, size_t n_in)
      : weights(random.values(n_out * n_in, 1 / std::sqrt(static_cast<float>(n_in)))),
        linear(Format::f32, reinterpret_cast<const std::byte*>(weights.data()), n_out, n_in) {}
  double at(size_t o, size_t i) const { return weights[o * linear.n_in() + i]; }

  std::vector<float> weights;
  Linear linear;
};

inline std::vector<float> row_of_matrix(const Matrix& matrix, size_t t) {
  return {matrix.row(t), matrix.row(t) + matrix.n_cols()};
}

// On each instruction set of this machine.
class DeviceTest : public ::testing::TestWithParam<const CpuKernels*> {
 protected:
  const CpuKernels& kernels() const { return *GetParam(); }

  ThreadPool pool_{3};
  Scratch scratch_{pool_.size()};
  LocalExec exec_{pool_, *GetParam(), scratch_};
  Device& device_ = exec_.device;
  RandomTensors random_{17};
};

}  // namespace ogas
