// Latent attention, absorbed against expanded: two ways to the same numbers.
#include "nn/mla.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>
#include <vector>

#include "kernels/dispatch.h"
#include "ops/cpu/local_exec.h"

namespace ogas {
namespace {

constexpr MlaDims kDims = {.n_embd = 42,
                           .n_head = 3,
                           .q_lora_rank = 28,
                           .kv_lora_rank = 40,
                           .qk_nope_head_dim = 14,
                           .qk_rope_head_dim = 8,
                           .v_head_dim = 10};
constexpr size_t kPositions = 3 * KvLayout::kPagePositions / 2;

// A layer with random weights that it owns.
class RandomMla {
 public:
  // has_two_parts: keys' and values' matrices of each head apart, as GGUF has them.
  explicit RandomMla(bool has_two_parts) {
    constexpr size_t kNope = kDims.qk_nope_head_dim, kV = kDims.v_head_dim, kRank = kDims.kv_lora_rank;
    mla.dims = kDims;
    mla.norm_eps = 1e-6F;
    mla.scale = 1 / std::sqrt(static_cast<float>(kDims.qk_head_dim()));
    mla.attn_q_a = linear(kDims.q_lora_rank, kDims.n_embd);
    mla.attn_q_b = linear(kDims.n_q(), kDims.q_lora_rank);
    mla.attn_kv_a_mqa = linear(kDims.latent_dim(), kDims.n_embd);
    mla.attn_kv_b = linear(kDims.n_head * (kNope + kV), kRank);
    mla.attn_output = linear(kDims.n_embd, kDims.n_head * kV);
    mla.attn_q_a_norm.assign(kDims.q_lora_rank, 1.5F);
    mla.attn_kv_a_norm.assign(kRank, 0.75F);
    if (has_two_parts) split_kv_b();
  }

  Mla mla;

 private:
  Linear linear(size_t n_out, size_t n_in) {
    auto& values = weights_.emplace_back(n_out * n_in);
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(n_in)));
    for (float& value : values) value = normal(random_);
    return of(values, n_out, n_in);
  }
  static Linear of(const std::vector<float>& values, size_t n_out, size_t n_in) {
    return {Format::f32, reinterpret_cast<const std::byte*>(values.data()), n_out, n_in};
  }
  void split_kv_b() {
    constexpr size_t kNope = kDims.qk_nope_head_dim, kV = kDims.v_head_dim, kRank = kDims.kv_lora_rank;
    std::vector<float> row(kRank);
    for (size_t h = 0; h < kDims.n_head; ++h) {
      std::vector<float> keys(kRank * kNope), values(kV * kRank);
      for (size_t d = 0; d < kNope; ++d) {
        mla.attn_kv_b.decode_row(h * (kNope + kV) + d, row.data());
        for (size_t c = 0; c < kRank; ++c) keys[c * kNope + d] = row[c];
      }
      for (size_t d = 0; d < kV; ++d) mla.attn_kv_b.decode_row(h * (kNope + kV) + kNope + d, &values[d * kRank]);
      mla.attn_k_b.push_back(of(weights_.emplace_back(std::move(keys)), kRank, kNope));
      mla.attn_v_b.push_back(of(weights_.emplace_back(std::move(values)), kV, kRank));
    }
    mla.attn_kv_b = {};
  }

  std::deque<std::vector<float>> weights_;
  std::mt19937 random_{11};
};

// Outputs of all positions, n_chunk at a time.
std::vector<float> run(Mla mla, const CpuKernels& kernels, MlaMode mode, size_t n_chunk) {
  ThreadPool pool(2);
  Scratch scratch(pool.size());
  LocalExec exec(pool, kernels, scratch);
  const MlaWorkspace workspace(kDims, n_chunk, {});
  KvLayout layout;
  mla.add_to(layout);
  EXPECT_TRUE(layout.set_format(Format::f32));
  KvCache cache(layout);
  KvSequence kv(cache);
  Ropes ropes;
  mla.rope = &ropes.add({.n_rot = kDims.qk_rope_head_dim, .base = 10000, .style = RopeStyle::interleaved});
  const RopeAngles angles(ropes, n_chunk);
  const Activations x(n_chunk, kDims.n_embd);
  const Matrix y(n_chunk, kDims.n_embd);
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> outputs;
  Rows rows;
  for (size_t position = 0; position < kPositions; position += n_chunk) {
    const size_t n = std::min(n_chunk, kPositions - position);
    for (size_t t = 0; t < n; ++t) {
      for (float& value : std::span(x.write(t, 1).row(t), kDims.n_embd)) value = normal(random);
      x.quantize_row(kernels, t, RowKind::prefill);
    }
    kv.extend(n);
    rows.clear();
    rows.add(kv, position, n, RowKind::prefill);
    for (size_t t = 0; t < n; ++t) angles.prepare(t, position + t);
    mla.forward(exec, {.rows = rows, .angles = angles, .x = x, .y = y}, workspace, mode);
    for (size_t t = 0; t < n; ++t) outputs.insert(outputs.end(), y.row(t), y.row(t) + kDims.n_embd);
  }
  return outputs;
}

TEST(Mla, AbsorbedAndExpandedAgree) {
  for (const bool has_two_parts : {false, true}) {
    const RandomMla layer(has_two_parts);
    for (const CpuKernels* kernels : available_kernels()) {
      const auto expected = run(layer.mla, *kernels, MlaMode::expanded, 1);
      for (const size_t n_chunk : {size_t{1}, size_t{7}, MlaWorkspace::kAbsorbedTogether + 5}) {
        for (const MlaMode mode : {MlaMode::absorbed, MlaMode::expanded}) {
          const auto found = run(layer.mla, *kernels, mode, n_chunk);
          ASSERT_EQ(found.size(), expected.size());
          for (size_t i = 0; i < found.size(); ++i)
            ASSERT_NEAR(found[i], expected[i], 2e-6) << kernels->name << ", chunks of " << n_chunk << ", value " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ogas
