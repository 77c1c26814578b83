#include "nn/linear.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/dispatch.h"

namespace ogas {
namespace {

// Several products at once, with rows that do not divide into chunks, on several threads.
TEST(Multiply, EveryRowOfEveryProduct) {
  constexpr size_t kIn = 5, kTokens = 3;
  ThreadPool pool(3);
  Exec exec{pool, *available_ops().back()};
  const Activations x(kTokens, kIn);
  for (size_t t = 0; t < kTokens; ++t)
    for (size_t i = 0; i < kIn; ++i) x.row(t)[i] = static_cast<float>(t + i);
  std::vector<std::vector<float>> weights;
  std::vector<Linear> linears;
  std::vector<Matrix> outputs;
  for (const size_t n_out : {1UL, 203UL, 64UL}) {
    auto& rows = weights.emplace_back();
    for (size_t idx = 0; idx < n_out * kIn; ++idx) rows.push_back(static_cast<float>(idx % 17) - 8);
    linears.emplace_back(Format::f32, reinterpret_cast<const std::byte*>(rows.data()), n_out, kIn);
    outputs.emplace_back(kTokens, n_out);
  }
  multiply(exec, x, kTokens, {{linears[0], outputs[0]}, {linears[1], outputs[1]}, {linears[2], outputs[2]}});
  for (size_t layer = 0; layer < linears.size(); ++layer)
    for (size_t t = 0; t < kTokens; ++t)
      for (size_t o = 0; o < linears[layer].n_out(); ++o) {
        float expected = 0;
        for (size_t i = 0; i < kIn; ++i) expected += weights[layer][o * kIn + i] * static_cast<float>(t + i);
        ASSERT_EQ(outputs[layer].row(t)[o], expected) << layer << " " << t << " " << o;
      }
}

TEST(Multiply, RefusesShapesThatDoNotFit) {
  ThreadPool pool(1);
  Exec exec{pool, *available_ops().back()};
  const std::vector<float> weights(6);
  const Linear linear(Format::f32, reinterpret_cast<const std::byte*>(weights.data()), 2, 3);
  EXPECT_DEATH(multiply(exec, Activations(1, 4), 1, {{linear, Matrix(1, 2)}}), "does not hold");
}

}  // namespace
}  // namespace ogas
