// Layers that share a KV stream: one stores keys and values, another reads them.
#include "nn/attention.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

#include "kernels/dispatch.h"
#include "ops/cpu/local_exec.h"

namespace ogas {
namespace {

constexpr AttentionDims kDims = {.n_embd = 32, .n_head = 4, .n_head_kv = 2, .head_dim = 16};
constexpr size_t kPositions = KvLayout::kPagePositions + 9;

// Matrices of random weights.
class Weights {
 public:
  explicit Weights(unsigned seed) : random_(seed) {}
  Linear linear(size_t n_out, size_t n_in) {
    auto& values = weights_.emplace_back(n_out * n_in);
    for (float& value : values) value = normal_(random_);
    return {Format::f32, reinterpret_cast<const std::byte*>(values.data()), n_out, n_in};
  }

 private:
  std::mt19937 random_;
  std::normal_distribution<float> normal_{0, 0.2F};
  std::deque<std::vector<float>> weights_;
};

// One sequence, and layers that are called with the same rows.
class SharedStream : public ::testing::TestWithParam<const CpuKernels*> {
 protected:
  SharedStream() {
    storing_.dims = reading_.dims = kDims;
    storing_.attn_k = weights_.linear(kDims.n_kv(), kDims.n_embd);
    storing_.attn_v = weights_.linear(kDims.n_kv(), kDims.n_embd);
    for (Attention* layer : {&storing_, &reading_}) {
      layer->attn_q = weights_.linear(kDims.n_q(), kDims.n_embd);
      layer->attn_output = weights_.linear(kDims.n_embd, kDims.n_q());
      layer->rope = &ropes_.add({.n_rot = kDims.head_dim, .base = 10000});
    }
    storing_.add_to(layout_);
    EXPECT_TRUE(layout_.set_format(Format::f32));
    reading_.kv_stream = storing_.kv_stream;
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    for (size_t t = 0; t < kPositions; ++t) {
      for (float& value : std::span(x_.write(t, 1).row(t), kDims.n_embd)) value = normal(random);
      x_.quantize_row(*GetParam(), t, RowKind::prefill);
    }
  }

  // What these layers make of all positions, each after the other in one pass, and what lies in the pages then.
  struct Made {
    std::vector<float> output;  // of the last layer
    std::vector<std::byte> pages;
  };
  Made run(std::initializer_list<const Attention*> layers) {
    KvCache cache(layout_);
    KvSequence kv(cache);
    kv.extend(kPositions);
    Rows rows;
    rows.add(kv, 0, kPositions, RowKind::prefill);
    const RopeAngles angles(ropes_, kPositions);
    for (size_t t = 0; t < kPositions; ++t) angles.prepare(t, t);
    const Matrix y(kPositions, kDims.n_embd);
    for (const Attention* layer : layers)
      layer->forward(exec_, {.rows = rows, .angles = angles, .x = x_, .y = y}, workspace_);
    Made made;
    for (size_t t = 0; t < kPositions; ++t) made.output.insert(made.output.end(), y.row(t), y.row(t) + kDims.n_embd);
    for (const std::byte* page : kv.pages(storing_.kv_stream))
      made.pages.insert(made.pages.end(), page, page + layout_.page_bytes());
    return made;
  }

  Weights weights_{7};
  Ropes ropes_;
  KvLayout layout_;
  Attention storing_, reading_;
  ThreadPool pool_{2};
  Scratch scratch_{pool_.size()};
  LocalExec exec_{pool_, *GetParam(), scratch_};
  const AttentionWorkspace workspace_{kDims, kPositions};
  const Activations x_{kPositions, kDims.n_embd};
};

TEST_P(SharedStream, IsReadAndNotWritten) {
  const Made stored = run({&storing_}), read = run({&storing_, &reading_});
  EXPECT_EQ(read.pages, stored.pages);
  EXPECT_NE(read.output, stored.output);

  // As if the second layer had made the same keys and values itself.
  Attention alone = reading_;
  alone.attn_k = storing_.attn_k;
  alone.attn_v = storing_.attn_v;
  alone.stores_kv = true;
  EXPECT_EQ(read.output, run({&alone}).output);
}

// Keys and values that the reading layer would make are never stored, even where it has the matrices.
TEST_P(SharedStream, MatricesOfTheReaderAreNotUsed) {
  const Made expected = run({&storing_, &reading_});
  reading_.attn_k = weights_.linear(kDims.n_kv(), kDims.n_embd);
  reading_.attn_v = weights_.linear(kDims.n_kv(), kDims.n_embd);
  const Made made = run({&storing_, &reading_});
  EXPECT_EQ(made.pages, expected.pages);
  EXPECT_EQ(made.output, expected.output);
}

INSTANTIATE_TEST_SUITE_P(Kernels, SharedStream, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace ogas
