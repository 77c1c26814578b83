// Latent attention, absorbed and expanded, and the choice of positions, against formulas in double precision.
#include <algorithm>
#include <numeric>

#include "kernels/kernels_test_tools.h"
#include "ops/cpu/device_test_tools.h"
#include "ops/cpu/kv_test_tools.h"

namespace ogas {
namespace {

constexpr LatentSizes kSizes = {.n_head = 3, .rank = 40, .nope_dim = 14, .rope_dim = 8, .v_dim = 10};
constexpr float kScale = 0.2F;

// Weights of random numbers: kv_b, or the same in two parts a head as GGUF has them.
class RandomLatentHeads {
 public:
  explicit RandomLatentHeads(RandomTensors& random, const LatentSizes& sizes = kSizes)
      : sizes_(sizes), kv_b_(random, sizes.n_head * (sizes.nope_dim + sizes.v_dim), sizes.rank) {
    for (size_t h = 0; h < sizes_.n_head; ++h) {
      auto& keys = parts_.emplace_back(sizes_.rank * sizes_.nope_dim);
      auto& values = parts_.emplace_back(sizes_.v_dim * sizes_.rank);
      for (size_t c = 0; c < sizes_.rank; ++c) {
        for (size_t d = 0; d < sizes_.nope_dim; ++d)
          keys[c * sizes_.nope_dim + d] = static_cast<float>(key_at(h, d, c));
        for (size_t d = 0; d < sizes_.v_dim; ++d) values[d * sizes_.rank + c] = static_cast<float>(value_at(h, d, c));
      }
      k_b_.push_back(linear_of(keys, sizes_.rank, sizes_.nope_dim));
      v_b_.push_back(linear_of(values, sizes_.v_dim, sizes_.rank));
    }
  }

  LatentHeads whole() const { return {.sizes = sizes_, .kv_b = kv_b_.linear, .k_b = {}, .v_b = {}}; }
  LatentHeads in_two() const { return {.sizes = sizes_, .kv_b = none_, .k_b = k_b_, .v_b = v_b_}; }
  double key_at(size_t h, size_t d, size_t c) const { return kv_b_.at(h * (sizes_.nope_dim + sizes_.v_dim) + d, c); }
  double value_at(size_t h, size_t d, size_t c) const { return key_at(h, sizes_.nope_dim + d, c); }

 private:
  static Linear linear_of(const std::vector<float>& values, size_t n_out, size_t n_in) {
    return {Format::f32, reinterpret_cast<const std::byte*>(values.data()), n_out, n_in};
  }

  LatentSizes sizes_;
  RandomLinear kv_b_;
  std::deque<std::vector<float>> parts_;
  std::vector<Linear> k_b_, v_b_;
  Linear none_;
};

class LatentAttentionTest : public DeviceTest {
 protected:
  static constexpr size_t kRows = 7;

  LatentAttentionTest() {
    sequences_.add(90, 1, RowKind::decode);
    sequences_.add(60, kRows - 1, RowKind::prefill);
    for (const KvRun& run : sequences_.rows().runs)
      for (size_t position = 0; position < run.position + run.n_rows; ++position)
        kernels().store(random_.values(kSizes.latent_dim()).data(), kSizes.latent_dim(), Format::f32,
                        sequences_.stream.k(run.pages, 0, position));
  }

  KvRows rows() const { return sequences_.rows(); }
  // The values of head h of row t, which attends to these positions.
  std::vector<double> expected(size_t t, size_t h, std::span<const uint32_t> positions) const {
    const float* q = q_.row(t) + h * kSizes.key_dim();
    std::vector<double> latent_sum(kSizes.rank), values(kSizes.v_dim);
    double sum = 0;
    for (const uint32_t p : positions) {
      const auto latent = sequences_.key(rows().run_of_row[t], 0, p);
      double score = 0;
      for (size_t d = 0; d < kSizes.nope_dim; ++d)
        for (size_t c = 0; c < kSizes.rank; ++c) score += q[d] * heads_.key_at(h, d, c) * latent[c];
      for (size_t d = 0; d < kSizes.rope_dim; ++d) score += double{q[kSizes.nope_dim + d]} * latent[kSizes.rank + d];
      sum += std::exp(score * kScale);
      for (size_t c = 0; c < kSizes.rank; ++c) latent_sum[c] += std::exp(score * kScale) * latent[c];
    }
    for (size_t d = 0; d < kSizes.v_dim; ++d)
      for (size_t c = 0; c < kSizes.rank; ++c) values[d] += heads_.value_at(h, d, c) * latent_sum[c] / sum;
    return values;
  }
  void expect_row(const Matrix& y, size_t t, std::span<const uint32_t> positions) const {
    for (size_t h = 0; h < kSizes.n_head; ++h) {
      const auto values = expected(t, h, positions);
      for (size_t d = 0; d < kSizes.v_dim; ++d)
        ASSERT_NEAR(y.row(t)[h * kSizes.v_dim + d], values[d], 1e-4) << kernels().name << " " << t << " " << h;
    }
  }
  void expect_rows(const Matrix& y) const {
    for (size_t t = 0; t < kRows; ++t) {
      std::vector<uint32_t> all(rows().position(t) + 1);
      std::iota(all.begin(), all.end(), 0U);
      expect_row(y, t, all);
    }
  }
  // Of rows first.. as many as there are: absorbed, then attending.
  void absorb_and_attend(const LatentHeads& heads, RowRange rows, std::span<const SeenPositions> seen_of_rows,
                         const KvStreamView& stream, const Matrix& y) {
    const size_t n = rows.n_rows * kSizes.n_head;
    const Activations nope(n, kSizes.nope_dim), latent(n, kSizes.rank);
    const Matrix q_latent(n, kSizes.latent_dim());
    device_.absorb({.heads = heads, .q = q_, .rows = rows, .kv_format = Format::f32, .nope = nope}, q_latent);
    device_.attend_latents(
        {.heads = heads, .q = q_latent, .seen = seen_of_rows, .stream = stream, .scale = kScale, .latent = latent}, y,
        rows.first_row);
  }

  RandomLatentHeads heads_{random_};
  TestSequences sequences_{Format::f32, 1, kSizes.latent_dim(), 0};
  const Matrix q_ = random_.matrix(kRows, kSizes.n_head* kSizes.key_dim());
};

TEST_P(LatentAttentionTest, AbsorbedRowsOfSeveralSequences) {
  for (const LatentHeads& heads : {heads_.whole(), heads_.in_two()}) {
    const Matrix y(kRows, kSizes.n_head * kSizes.v_dim);
    std::vector<SeenPositions> all;
    for (size_t t = 0; t < kRows; ++t) all.push_back({rows().run_of(t).pages, rows().position(t) + 1});
    absorb_and_attend(heads, {0, 3}, std::span(all).first(3), sequences_.stream, y);
    absorb_and_attend(heads, {3, kRows - 3}, std::span(all).subspan(3), sequences_.stream, y);
    expect_rows(y);
  }
}

TEST_P(LatentAttentionTest, ExpandedRowsRunByRun) {
  for (const LatentHeads& heads : {heads_.whole(), heads_.in_two()}) {
    const Matrix y(kRows, kSizes.n_head * kSizes.v_dim);
    for (const KvRun& run : rows().runs)
      device_.attend_expanded({.heads = heads, .q = q_, .run = run, .stream = sequences_.stream, .scale = kScale}, y);
    expect_rows(y);
  }
}

// Latents of some positions, copied to pages of their own.
TEST_P(LatentAttentionTest, ChosenPositions) {
  constexpr size_t kRow = 4;
  const std::vector<uint32_t> positions = {0, 3, 4, 17, 41, 59, 60, 62};
  std::vector<std::byte> memory(TestSequences::kPage * sequences_.stream.k_bytes);
  std::byte* const page = memory.data();
  const SeenPositions seen_by_row = {&page, positions.size()};
  KvStreamView stream = sequences_.stream;
  device_.copy_keys(stream, rows().run_of(kRow).pages, positions, {&page, 1});
  stream.k_offset = 0;
  const Matrix y(kRows, kSizes.n_head * kSizes.v_dim);
  absorb_and_attend(heads_.whole(), {kRow, 1}, {&seen_by_row, 1}, stream, y);
  expect_row(y, kRow, positions);
}

// Latents of few bits are stored rotated, and what is made of them is turned back. Both ways read the same latents.
TEST_P(LatentAttentionTest, InFourBitsAbsorbedAndExpandedAgree) {
  constexpr LatentSizes kWide = {.n_head = 2, .rank = 64, .nope_dim = 32, .rope_dim = 32, .v_dim = 32};
  constexpr size_t kPositions = 40;
  const RandomLatentHeads heads(random_, kWide);
  TestSequences sequences(Format::q4_0, 1, kWide.latent_dim(), 0);
  sequences.add(0, kPositions, RowKind::prefill);
  const KvRows rows = sequences.rows();
  const RopeAngles angles(Ropes(), kPositions);
  const Matrix latents = random_.matrix(kPositions, kWide.latent_dim());
  const auto first = row_of_matrix(latents, 0);
  device_.rope_and_store({{.x = latents, .n_heads = 1, .dim = kWide.rank},
                          {.x = latents, .n_heads = 1, .dim = kWide.rope_dim, .first_col = kWide.rank}},
                         {.rows = rows, .angles = angles, .stream = sequences.stream, .keys = &latents});
  double difference = 0;
  const auto stored = sequences.key(0, 0, 0);
  for (size_t i = 0; i < stored.size(); ++i) difference += std::abs(stored[i] - first[i]);
  EXPECT_GT(difference, 10) << "stored as they are";

  const Matrix q = random_.matrix(kPositions, kWide.n_head * kWide.key_dim());
  const Matrix expanded(kPositions, kWide.n_head * kWide.v_dim), absorbed(kPositions, kWide.n_head * kWide.v_dim);
  device_.attend_expanded(
      {.heads = heads.whole(), .q = q, .run = rows.runs[0], .stream = sequences.stream, .scale = kScale}, expanded);
  const size_t n = kPositions * kWide.n_head;
  const Activations nope(n, kWide.nope_dim), latent(n, kWide.rank);
  const Matrix q_latent(n, kWide.latent_dim());
  std::vector<SeenPositions> seen;
  for (size_t t = 0; t < kPositions; ++t) seen.push_back({rows.run_of(t).pages, t + 1});
  device_.absorb({.heads = heads.whole(), .q = q, .rows = {0, kPositions}, .kv_format = Format::q4_0, .nope = nope},
                 q_latent);
  device_.attend_latents({.heads = heads.whole(),
                          .q = q_latent,
                          .seen = seen,
                          .stream = sequences.stream,
                          .scale = kScale,
                          .latent = latent},
                         absorbed, 0);
  for (size_t t = 0; t < kPositions; ++t)
    for (size_t i = 0; i < expanded.n_cols(); ++i)
      ASSERT_NEAR(absorbed.row(t)[i], expanded.row(t)[i], 0.02) << kernels().name << " " << t << " " << i;
}

class ChoosePositionsTest : public DeviceTest {
 protected:
  static constexpr size_t kHeads = 5, kDim = 32, kPositions = 150;

  ChoosePositionsTest() {
    sequences_.add(0, kPositions, RowKind::prefill);
    for (size_t p = 0; p < kPositions; ++p) kernels().store(random_.values(kDim).data(), kDim, Format::f32, key_at(p));
  }
  std::byte* key_at(size_t p) const { return sequences_.stream.k(sequences_.rows().runs[0].pages, 0, p); }
  std::vector<uint32_t> choose(size_t n) {
    std::vector<uint32_t> chosen(n);
    device_.choose_positions({.q = q_,
                              .weights = weights_,
                              .row = 2,
                              .seen = {sequences_.rows().runs[0].pages, kPositions},
                              .stream = sequences_.stream},
                             chosen);
    return chosen;
  }
  double score_of(size_t p) const {
    const auto key = sequences_.key(0, 0, p);
    double score = 0;
    for (size_t h = 0; h < kHeads; ++h) {
      double product = 0;
      for (size_t d = 0; d < kDim; ++d) product += double{q_.row(2)[h * kDim + d]} * key[d];
      score += weights_.row(2)[h] * std::max(product, 0.0);
    }
    return score;
  }

  TestSequences sequences_{Format::f32, 1, kDim, 0};
  const Matrix q_ = random_.matrix(3, kHeads* kDim), weights_ = random_.matrix(3, kHeads);
};

TEST_P(ChoosePositionsTest, TheBestScoresInAscendingOrder) {
  std::vector<uint32_t> best(kPositions);
  std::iota(best.begin(), best.end(), 0U);
  std::ranges::sort(best, [&](uint32_t a, uint32_t b) { return score_of(a) > score_of(b); });
  std::ranges::sort(best.begin(), best.begin() + 40);
  best.resize(40);
  EXPECT_EQ(choose(40), best) << kernels().name;
}

TEST_P(ChoosePositionsTest, EqualsRankByPositionAndWhatIsNoNumberLast) {
  const std::vector<float> first = sequences_.key(0, 0, 0), nan(kDim, NAN);
  for (size_t p = 0; p < kPositions; ++p) kernels().store(first.data(), kDim, Format::f32, key_at(p));
  for (const size_t p : {0, 2, 64}) kernels().store(nan.data(), kDim, Format::f32, key_at(p));
  EXPECT_EQ(choose(4), (std::vector<uint32_t>{1, 3, 4, 5})) << kernels().name;
  EXPECT_DEATH(choose(kPositions), "150 of 150 positions");
}

INSTANTIATE_TEST_SUITE_P(Available, LatentAttentionTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });
INSTANTIATE_TEST_SUITE_P(Available, ChoosePositionsTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
