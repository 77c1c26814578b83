// Heads made ready and stored, and attention, against their formulas in double precision.
#include <algorithm>
#include <numbers>

#include "kernels/kernels_test_tools.h"
#include "ops/cpu/device_test_tools.h"
#include "ops/cpu/kv_test_tools.h"

namespace ogas {
namespace {

constexpr size_t kHeads = 6, kHeadsKv = 2, kDim = 32;
constexpr float kEps = 1e-5F;

std::vector<double> doubles(std::span<const float> values) { return {values.begin(), values.end()}; }

// Pairs (j, j + n_rot / 2), or neighbours.
void rotate_slowly(std::span<double> x, size_t n_rot, double base, size_t position, RopeStyle style) {
  for (size_t j = 0; j < n_rot / 2; ++j) {
    const double angle =
        static_cast<double>(position) * std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(n_rot));
    double& a = style == RopeStyle::half_split ? x[j] : x[2 * j];
    double& b = style == RopeStyle::half_split ? x[j + n_rot / 2] : x[2 * j + 1];
    const double old_a = a;
    a = old_a * std::cos(angle) - b * std::sin(angle);
    b = old_a * std::sin(angle) + b * std::cos(angle);
  }
}

void normalize_slowly(std::span<double> x, std::span<const float> weight, std::span<const float> bias) {
  const auto n = static_cast<double>(x.size());
  double mean = 0, squares = 0;
  if (!bias.empty())
    for (const double value : x) mean += value / n;
  for (const double value : x) squares += (value - mean) * (value - mean);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = (x[i] - mean) / std::sqrt(squares / n + kEps) * weight[i] + (bias.empty() ? 0 : bias[i]);
}

class RopeAndStoreTest : public DeviceTest {
 protected:
  static constexpr size_t kRot = 12;

  RopeAndStoreTest() {
    sequences_.add(3, 1, RowKind::decode);
    sequences_.add(62, 4, RowKind::prefill);  // goes over into the next page
  }

  // Cosines and sines are the device's to make, too.
  RopeAngles angles_of(const Ropes& ropes) {
    RopeAngles angles(ropes, rows().size());
    std::vector<size_t> positions;
    for (size_t t = 0; t < rows().size(); ++t) positions.push_back(rows().position(t));
    device_.prepare_angles(angles, positions);
    return angles;
  }
  KvRows rows() const { return sequences_.rows(); }

  TestSequences sequences_{Format::f32, kHeadsKv, kDim, kDim};
  Ropes ropes_;
  const Rope& rope_ = ropes_.add({.n_rot = kRot, .base = 100, .style = RopeStyle::half_split});
};

TEST_P(RopeAndStoreTest, BiasNormAndRotationGoInThisOrder) {
  const RopeAngles angles = angles_of(ropes_);
  const Matrix q = random_.matrix(5, kHeads * kDim), k = random_.matrix(5, kHeadsKv * kDim),
               v = random_.matrix(5, kHeadsKv * kDim);
  const auto q_bias = random_.values(kHeads * kDim), v_bias = random_.values(kHeadsKv * kDim),
             norm = random_.values(kDim), norm_bias = random_.values(kDim);
  std::vector<std::vector<float>> q_before, k_before, v_before;
  for (size_t t = 0; t < 5; ++t) {
    q_before.push_back(row_of_matrix(q, t));
    k_before.push_back(row_of_matrix(k, t));
    v_before.push_back(row_of_matrix(v, t));
  }
  device_.rope_and_store(
      {{.x = q, .n_heads = kHeads, .dim = kDim, .bias = q_bias, .norm = {norm, {}, kEps}, .rope = &rope_},
       {.x = k, .n_heads = kHeadsKv, .dim = kDim, .norm = {norm, norm_bias, kEps}, .rope = &rope_},
       {.x = v, .n_heads = kHeadsKv, .dim = kDim, .bias = v_bias}},
      {.rows = rows(), .angles = angles, .stream = sequences_.stream, .keys = &k, .values = &v});
  for (size_t t = 0; t < 5; ++t) {
    const size_t run = t == 0 ? 0 : 1, position = t == 0 ? 3 : 62 + (t - 1);
    for (size_t h = 0; h < kHeads; ++h) {
      std::vector<double> head = doubles(std::span(q_before[t]).subspan(h * kDim, kDim));
      for (size_t d = 0; d < kDim; ++d) head[d] += q_bias[h * kDim + d];
      normalize_slowly(head, norm, {});
      rotate_slowly(head, kRot, 100, position, RopeStyle::half_split);
      for (size_t d = 0; d < kDim; ++d) ASSERT_NEAR(q.row(t)[h * kDim + d], head[d], 1e-5) << t << " " << h << " " << d;
    }
    for (size_t h = 0; h < kHeadsKv; ++h) {
      std::vector<double> head = doubles(std::span(k_before[t]).subspan(h * kDim, kDim));
      normalize_slowly(head, norm, norm_bias);
      rotate_slowly(head, kRot, 100, position, RopeStyle::half_split);
      const auto key = sequences_.key(run, h, position), value = sequences_.value(run, h, position);
      for (size_t d = 0; d < kDim; ++d) {
        ASSERT_NEAR(key[d], head[d], 1e-5) << t << " " << h << " " << d;
        ASSERT_FLOAT_EQ(value[d], v_before[t][h * kDim + d] + v_bias[h * kDim + d]);
      }
    }
  }
}

// Parts of heads, in another style than the rotation's own, and nothing to store.
TEST_P(RopeAndStoreTest, HeadsMayStandApart) {
  constexpr size_t kFirst = 3, kStride = 40;
  const RopeAngles angles = angles_of(ropes_);
  const Matrix x = random_.matrix(5, kHeads * kStride);
  const auto before = row_of_matrix(x, 2);
  device_.rope_and_store({{.x = x,
                           .n_heads = kHeads,
                           .dim = kRot,
                           .first_col = kFirst,
                           .stride = kStride,
                           .rope = &rope_,
                           .style = RopeStyle::interleaved}},
                         {.rows = rows(), .angles = angles, .stream = sequences_.stream});
  for (size_t h = 0; h < kHeads; ++h) {
    std::vector<double> head = doubles(std::span(before).subspan(h * kStride, kStride));
    rotate_slowly(std::span(head).subspan(kFirst, kRot), kRot, 100, 63, RopeStyle::interleaved);
    for (size_t i = 0; i < kStride; ++i) ASSERT_NEAR(x.row(2)[h * kStride + i], head[i], 1e-5) << h << " " << i;
  }
  for (const float value : sequences_.key(1, 0, 63)) EXPECT_EQ(value, 0);
}

TEST_P(RopeAndStoreTest, GatesStandApartAfterwards) {
  const RopeAngles angles = angles_of(ropes_);
  const Matrix q = random_.matrix(5, 2 * kHeads * kDim), gates(5, kHeads * kDim);
  const auto before = row_of_matrix(q, 4);
  device_.rope_and_store({{.x = q, .n_heads = kHeads, .dim = kDim, .gates = &gates}},
                         {.rows = rows(), .angles = angles, .stream = sequences_.stream});
  for (size_t h = 0; h < kHeads; ++h)
    for (size_t d = 0; d < kDim; ++d) {
      ASSERT_EQ(q.row(4)[h * kDim + d], before[2 * h * kDim + d]);
      ASSERT_EQ(gates.row(4)[h * kDim + d], before[(2 * h + 1) * kDim + d]);
    }
}

TEST_P(RopeAndStoreTest, SizesMustFit) {
  const RopeAngles angles = angles_of(ropes_);
  const Matrix x = random_.matrix(5, kDim);
  const auto store = [&](const HeadsOfRows& heads, const Matrix* keys) {
    device_.rope_and_store({heads}, {.rows = rows(), .angles = angles, .stream = sequences_.stream, .keys = keys});
  };
  EXPECT_DEATH(store({.x = x, .n_heads = 2, .dim = kDim}, nullptr), "2 heads of 32");
  EXPECT_DEATH(store({.x = x, .n_heads = 1, .dim = kDim}, &x), "a stream of 2 heads of 32 and 32");
  EXPECT_DEATH(store({.x = x, .n_heads = 1, .dim = 8, .rope = &rope_}, nullptr), "12 of 8 dimensions are rotated");
}

class AttendTest : public DeviceTest {
 protected:
  static constexpr size_t kHeadsOf = 40;  // 20 share a head: more than a job's rows

  // Positions in two parts, in a decode, a short prefill and a long one.
  TestSequences filled(Format format, size_t n_heads_kv) {
    TestSequences sequences(format, n_heads_kv, kDim, kDim);
    sequences.add(1100, 1, RowKind::decode);
    sequences.add(0, 3, RowKind::prefill);
    sequences.add(1000, 60, RowKind::prefill);
    const KvStreamView& stream = sequences.stream;
    for (const KvRun& run : sequences.rows().runs)
      for (size_t position = 0; position < run.position + run.n_rows; ++position)
        for (size_t h = 0; h < n_heads_kv; ++h) {
          kernels().store(random_.values(kDim).data(), kDim, format, stream.k(run.pages, h, position));
          kernels().store(random_.values(kDim).data(), kDim, format, stream.v(run.pages, h, position));
        }
    return sequences;
  }

  static std::vector<double> attend_slowly(const TestSequences& sequences, const AttendInput& a, size_t t, size_t h) {
    const size_t run = a.rows.run_of_row[t], position = a.rows.position(t);
    const size_t head_kv = h / (a.n_head / a.stream.n_heads);
    const size_t first = a.window > 0 && position + 1 > a.window ? position + 1 - a.window : 0;
    const float* q = a.q.row(t) + h * kDim;
    std::vector<double> out(kDim);
    double sum = a.sinks.empty() ? 0 : std::exp(double{a.sinks[h]});
    for (size_t p = first; p <= position; ++p) {
      const auto key = sequences.key(run, head_kv, p), value = sequences.value(run, head_kv, p);
      double score = 0;
      for (size_t d = 0; d < kDim; ++d) score += double{q[d]} * key[d];
      score *= a.scale;
      if (a.soft_cap > 0) score = a.soft_cap * std::tanh(score / a.soft_cap);
      sum += std::exp(score);
      for (size_t d = 0; d < kDim; ++d) out[d] += std::exp(score) * value[d];
    }
    for (size_t d = 0; d < kDim; ++d) {
      out[d] /= sum;
      if (a.gates) out[d] /= 1 + std::exp(-double{a.gates->row(t)[h * kDim + d]});
    }
    return out;
  }

  void expect_close(const TestSequences& sequences, const AttendInput& a, double tolerance) {
    const Activations y(a.rows.size(), a.n_head * kDim);
    device_.attend(a, y);
    ASSERT_TRUE(y.are_quantized(0, a.rows.size()));
    for (const size_t t : {0, 1, 2, 3, 4, 35, 63}) {
      EXPECT_EQ(y.kind(t), a.rows.kinds[t]);
      for (const size_t h : {size_t{0}, a.n_head / 2 - 1, a.n_head - 1}) {
        const auto expected = attend_slowly(sequences, a, t, h);
        for (size_t d = 0; d < kDim; ++d)
          ASSERT_NEAR(y.row(t)[h * kDim + d], expected[d], tolerance) << kernels().name << " " << t << " " << h;
      }
    }
  }
};

TEST_P(AttendTest, HeadsShareKeysAndValues) {
  for (const auto& [format, tolerance] : {std::pair{Format::f32, 2e-3}, {Format::f16, 2e-3}, {Format::q8_0, 2e-3}}) {
    const TestSequences sequences = filled(format, 2);
    const Matrix q = random_.matrix(sequences.rows().size(), kHeadsOf * kDim);
    expect_close(sequences,
                 {.q = q, .n_head = kHeadsOf, .rows = sequences.rows(), .stream = sequences.stream, .scale = 0.6F},
                 tolerance);
  }
}

TEST_P(AttendTest, WindowsCapsSinksAndGates) {
  const TestSequences sequences = filled(Format::f32, 2);
  const size_t n = sequences.rows().size();
  const Matrix q = random_.matrix(n, kHeadsOf * kDim), gates = random_.matrix(n, kHeadsOf * kDim);
  const auto sinks = random_.values(kHeadsOf, 8);
  const AttendInput a{.q = q, .n_head = kHeadsOf, .rows = sequences.rows(), .stream = sequences.stream, .scale = 0.6F};
  const auto with = [&](size_t window, float soft_cap, std::span<const float> some_sinks, const Matrix* some_gates) {
    expect_close(sequences, {a.q, a.n_head, a.rows, a.stream, a.scale, window, soft_cap, some_sinks, some_gates}, 2e-3);
  };
  with(17, 0, {}, nullptr);
  with(0, 1.5F, {}, nullptr);
  with(0, 0, sinks, nullptr);
  with(0, 0, {}, &gates);
  with(1030, 2, sinks, &gates);
}

// What a row attends to does not depend on the other rows of the batch.
TEST_P(AttendTest, RowsAreIndependent) {
  TestSequences sequences = filled(Format::f16, 2);
  const KvRows all = sequences.rows();
  const Matrix q = random_.matrix(all.size(), kHeadsOf * kDim), first_q(1, kHeadsOf * kDim);
  const Activations y(all.size(), kHeadsOf * kDim), alone(1, kHeadsOf * kDim);
  device_.attend({.q = q, .n_head = kHeadsOf, .rows = all, .stream = sequences.stream, .scale = 0.6F}, y);
  for (const size_t t : {0, 2, 33}) {
    std::copy_n(q.row(t), kHeadsOf * kDim, first_q.row(0));
    const KvRun run{all.run_of(t).pages, all.position(t), 0, 1, all.kinds[t]};
    const uint32_t run_of_row = 0;
    device_.attend({.q = first_q,
                    .n_head = kHeadsOf,
                    .rows = {{&run, 1}, {&run_of_row, 1}, {&run.kind, 1}},
                    .stream = sequences.stream,
                    .scale = 0.6F},
                   alone);
    EXPECT_TRUE(std::equal(alone.row(0), alone.row(0) + kHeadsOf * kDim, y.row(t))) << kernels().name << " " << t;
  }
}

// Formats of few bits are rotated when they are stored, and results turned back.
TEST_P(AttendTest, WhatIsStoredInFourBitsComesBackAsItWas) {
  TestSequences sequences(Format::q4_0, 2, kDim, kDim);
  sequences.add(0, 40, RowKind::prefill);
  const KvRows rows = sequences.rows();
  const RopeAngles angles(Ropes(), rows.size());
  const Matrix q(rows.size(), kHeads * kDim), k(rows.size(), 2 * kDim), v = random_.matrix(rows.size(), 2 * kDim);
  std::vector<double> mean(kDim);
  for (size_t t = 0; t < rows.size(); ++t)  // a key of zeros: all positions count alike
    for (size_t d = 0; d < kDim; ++d) mean[d] += v.row(t)[d] / static_cast<double>(rows.size());
  const auto first = row_of_matrix(v, 0);
  device_.rope_and_store({{.x = q, .n_heads = kHeads, .dim = kDim},
                          {.x = k, .n_heads = 2, .dim = kDim},
                          {.x = v, .n_heads = 2, .dim = kDim}},
                         {.rows = rows, .angles = angles, .stream = sequences.stream, .keys = &k, .values = &v});
  const Activations y(rows.size(), kHeads * kDim);
  device_.attend({.q = q, .n_head = kHeads, .rows = rows, .stream = sequences.stream, .scale = 0.6F}, y);
  for (size_t d = 0; d < kDim; ++d) {
    ASSERT_NEAR(y.row(rows.size() - 1)[d], mean[d], 0.1) << kernels().name;
    ASSERT_NEAR(y.row(0)[d], first[d], 0.4) << kernels().name;
  }
  double difference = 0;
  const auto stored = sequences.value(0, 0, 0);
  for (size_t d = 0; d < kDim; ++d) difference += std::abs(stored[d] - first[d]);
  EXPECT_GT(difference, 5) << "stored as it is";
}

INSTANTIATE_TEST_SUITE_P(Available, RopeAndStoreTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });
INSTANTIATE_TEST_SUITE_P(Available, AttendTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
