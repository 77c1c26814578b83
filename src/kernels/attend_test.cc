// Attention over pages, its parts and their merging, of every instruction set against the reference.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/kernels_test_tools.h"

namespace ogas {
namespace {

class AttendTest : public ::testing::TestWithParam<const CpuKernels*> {
 protected:
  const CpuKernels& kernels() const { return *GetParam(); }
};

constexpr size_t kPage = 64;

struct Case {
  size_t n_tokens, n_heads, k_dim, v_dim, position;
  size_t window = 0;
  size_t part = SIZE_MAX;  // positions of a part
  bool is_latent = false;  // values are the first part of the keys
  float q_scale = 1;
  bool has_sinks = false;
  float soft_cap = 0;
};

// Pages of random keys and values at an odd address. Those that no token sees are not there.
class Cache {
 public:
  Cache(const Case& c, Format format, Random& random) : case_(c), format_(format) {
    const size_t n = c.position + c.n_tokens, n_pages = (n + kPage - 1) / kPage;
    for (size_t idx = 0; idx < n_pages; ++idx) {
      auto& page = storage_.emplace_back(kOffset + kPage * (k_bytes() + v_bytes()));
      for (size_t p = 0; p < kPage; ++p) {
        reference().store(random.normals(c.k_dim).data(), c.k_dim, format, page.data() + kOffset + p * k_bytes());
        if (!c.is_latent)
          reference().store(random.normals(c.v_dim).data(), c.v_dim, format, page.data() + v_offset() + p * v_bytes());
      }
      const size_t seen = c.position + 1, first_seen = c.window > 0 && seen > c.window ? seen - c.window : 0;
      pages_.push_back((idx + 1) * kPage > first_seen ? page.data() : nullptr);
    }
  }
  AttendArgs args(const float* q) const {
    return {.q = q,
            .q_stride = case_.n_heads * case_.k_dim,
            .n_tokens = case_.n_tokens,
            .n_heads = case_.n_heads,
            .position = case_.position,
            .window = case_.window,
            .k_dim = case_.k_dim,
            .v_dim = case_.v_dim,
            .k_stride = k_bytes(),
            .v_stride = case_.is_latent ? k_bytes() : v_bytes(),
            .pages = pages_.data(),
            .page_size = kPage,
            .k_offset = kOffset,
            .v_offset = v_offset(),
            .kv_format = format_,
            .scale = 1 / std::sqrt(static_cast<float>(case_.k_dim)),
            .soft_cap = case_.soft_cap};
  }

 private:
  static constexpr size_t kOffset = 4;
  size_t k_bytes() const { return facts_of(format_).bytes_for(case_.k_dim); }
  size_t v_bytes() const { return case_.is_latent ? 0 : facts_of(format_).bytes_for(case_.v_dim); }
  size_t v_offset() const { return kOffset + (case_.is_latent ? 0 : kPage * k_bytes()); }

  Case case_;
  Format format_;
  std::vector<std::vector<std::byte>> storage_;
  std::vector<const std::byte*> pages_;
};

std::vector<float> attend(const CpuKernels& kernels, AttendArgs args, size_t part, const float* sinks) {
  const size_t n_rows = args.n_tokens * args.n_heads, end = args.position + args.n_tokens;
  const size_t n_parts = part == SIZE_MAX ? 1 : (end + part - 1) / part;
  std::vector<float> sums(n_parts * n_rows * args.v_dim, NAN), scratch(kernels.attend_scratch(args), NAN);
  std::vector<SoftmaxPart> parts(n_parts * n_rows);
  for (size_t idx = 0; idx < n_parts; ++idx) {
    args.p_begin = n_parts == 1 ? 0 : idx * part;
    args.p_end = n_parts == 1 ? end : std::min(end, (idx + 1) * part);
    args.sums = sums.data() + idx * n_rows * args.v_dim;
    args.parts = parts.data() + idx * n_rows;
    args.scratch = scratch.data();
    kernels.attend(args);
  }
  std::vector<float> out(n_rows * args.v_dim, NAN);
  kernels.merge({sums.data(), parts.data(), n_parts, args.n_tokens, args.n_heads, args.v_dim, sinks, out.data(),
                 args.n_heads * args.v_dim});
  return out;
}

constexpr Case kCases[] = {
    {.n_tokens = 1, .n_heads = 3, .k_dim = 64, .v_dim = 64, .position = 0},
    {.n_tokens = 1, .n_heads = 4, .k_dim = 128, .v_dim = 128, .position = 63},
    {.n_tokens = 4, .n_heads = 4, .k_dim = 64, .v_dim = 96, .position = 62},
    {.n_tokens = 16, .n_heads = 1, .k_dim = 192, .v_dim = 128, .position = 120, .has_sinks = true},
    {.n_tokens = 3, .n_heads = 5, .k_dim = 32, .v_dim = 32, .position = 200, .window = 100, .has_sinks = true},
    {.n_tokens = 7, .n_heads = 2, .k_dim = 32, .v_dim = 32, .position = 300, .window = 3, .part = 128},
    {.n_tokens = 2, .n_heads = 3, .k_dim = 96, .v_dim = 64, .position = 150, .part = 64, .is_latent = true},
    {.n_tokens = 1, .n_heads = 16, .k_dim = 576, .v_dim = 512, .position = 130, .part = 128, .is_latent = true},
    {.n_tokens = 1, .n_heads = 2, .k_dim = 32, .v_dim = 32, .position = 149, .q_scale = 100},
    {.n_tokens = 2, .n_heads = 1, .k_dim = 32, .v_dim = 32, .position = 128, .part = 64, .q_scale = 1e4F},
    {.n_tokens = 3,
     .n_heads = 2,
     .k_dim = 32,
     .v_dim = 32,
     .position = 150,
     .window = 90,
     .part = 64,
     .soft_cap = 0.5F},
    {.n_tokens = 2, .n_heads = 3, .k_dim = 64, .v_dim = 32, .position = 97, .q_scale = 9, .soft_cap = 4},
};

// By tiles: more rows, parts of whole blocks.
constexpr Case kTileCases[] = {
    {.n_tokens = 1, .n_heads = 3, .k_dim = 64, .v_dim = 64, .position = 0},
    {.n_tokens = 37, .n_heads = 3, .k_dim = 64, .v_dim = 64, .position = 0},
    {.n_tokens = 32, .n_heads = 4, .k_dim = 128, .v_dim = 128, .position = 243, .has_sinks = true},
    {.n_tokens = 128, .n_heads = 1, .k_dim = 192, .v_dim = 128, .position = 1000, .part = 1024},
    {.n_tokens = 9, .n_heads = 5, .k_dim = 80, .v_dim = 48, .position = 600, .window = 100, .has_sinks = true},
    {.n_tokens = 50, .n_heads = 2, .k_dim = 16, .v_dim = 16, .position = 1020, .window = 3, .part = 1024},
    {.n_tokens = 20, .n_heads = 3, .k_dim = 96, .v_dim = 64, .position = 150, .is_latent = true},
    {.n_tokens = 2, .n_heads = 2, .k_dim = 32, .v_dim = 32, .position = 149, .q_scale = 100},
    {.n_tokens = 40, .n_heads = 2, .k_dim = 32, .v_dim = 32, .position = 250, .window = 90, .soft_cap = 0.5F},
};

// check(case, cache, queries) for each of these cases in every format that can store its dimensions.
void for_each_case(std::span<const Case> cases, Random& random, auto&& check) {
  for (const Case& c : cases) {
    for (const Format format : kKvFormats) {
      const size_t values = facts_of(format).block_values;
      if (c.k_dim % values != 0 || c.v_dim % values != 0) continue;
      SCOPED_TRACE(fmt::format("{} tokens, {} heads of {} and {} at {}, {}", c.n_tokens, c.n_heads, c.k_dim, c.v_dim,
                               c.position, facts_of(format).name));
      const Cache cache(c, format, random);
      const auto q = random.normals(c.n_tokens * c.n_heads * c.k_dim, c.q_scale);
      check(c, cache, q);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST_P(AttendTest, IsThatOfTheReference) {
  Random random(9);
  for_each_case(kCases, random, [&](const Case& c, const Cache& cache, const std::vector<float>& q) {
    const auto sinks = random.normals(c.n_heads, 3);
    const float* sink = c.has_sinks ? sinks.data() : nullptr;
    const auto actual = attend(kernels(), cache.args(q.data()), c.part, sink);
    const auto expected = attend(reference(), cache.args(q.data()), SIZE_MAX, sink);
    // Large scores amplify the rounding of the dot product by e^score.
    const double tolerance = c.q_scale > 1 ? 5e-3 : 1e-5;
    for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], tolerance) << i;
  });
}

TEST_P(AttendTest, ByTilesIsThatOfTheReference) {
  if (kernels().attend_tile_rows == 0) GTEST_SKIP() << "no attention by tiles";
  Random random(14);
  for_each_case(kTileCases, random, [&](const Case& c, const Cache& cache, const std::vector<float>& q) {
    const auto sinks = random.normals(c.n_heads, 3);
    const float* sink = c.has_sinks ? sinks.data() : nullptr;
    AttendArgs args = cache.args(q.data());
    const auto expected = attend(reference(), args, SIZE_MAX, sink);
    args.by_tiles = true;
    const auto actual = attend(kernels(), args, c.part, sink);
    // Numbers have 16 bits.
    const double tolerance = c.q_scale > 1 ? 3e-2 : 6e-5;
    for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], tolerance) << i;
  });
}

void expect_rows_the_same_alone(const CpuKernels& kernels, const Case& c, AttendArgs all, bool by_tiles) {
  all.by_tiles = by_tiles;
  const auto together = attend(kernels, all, c.part, nullptr);
  for (size_t row = 0; row < c.n_tokens * c.n_heads; ++row) {
    AttendArgs args = all;
    args.q += row * c.k_dim;
    args.n_tokens = args.n_heads = 1;
    args.position += row / c.n_heads;
    const auto alone = attend(kernels, args, c.part, nullptr);
    ASSERT_EQ(0, std::memcmp(alone.data(), &together[row * c.v_dim], c.v_dim * sizeof(float))) << "row " << row;
  }
}

TEST_P(AttendTest, ARowIsTheSameAlone) {
  Random random(10);
  for_each_case(kCases, random, [&](const Case& c, const Cache& cache, const std::vector<float>& q) {
    expect_rows_the_same_alone(kernels(), c, cache.args(q.data()), false);
  });
  if (kernels().attend_tile_rows == 0) return;
  for_each_case(kTileCases, random, [&](const Case& c, const Cache& cache, const std::vector<float>& q) {
    expect_rows_the_same_alone(kernels(), c, cache.args(q.data()), true);
  });
}

// Keys beyond what a token sees, whatever they are, change nothing.
void expect_nothing_beyond_matters(const CpuKernels& kernels, bool by_tiles) {
  Random random(11);
  const Case c{.n_tokens = 1, .n_heads = 4, .k_dim = 64, .v_dim = 64, .position = 70};
  const Cache cache(c, Format::f32, random);
  const auto q = random.normals(4 * c.k_dim);
  AttendArgs args = cache.args(q.data());
  args.by_tiles = by_tiles;
  const auto expected = attend(kernels, args, SIZE_MAX, nullptr);
  for (size_t p = 71; p < 2 * kPage; ++p) {
    float big[64];
    std::fill_n(big, 64, 1e30F);
    std::memcpy(const_cast<std::byte*>(args.pages[1]) + args.k_offset + (p - kPage) * args.k_stride, big, sizeof big);
  }
  EXPECT_EQ(attend(kernels, args, SIZE_MAX, nullptr), expected);
}

TEST_P(AttendTest, NothingBeyondTheTokenMatters) {
  expect_nothing_beyond_matters(kernels(), false);
  if (kernels().attend_tile_rows > 0) expect_nothing_beyond_matters(kernels(), true);
}

TEST_P(AttendTest, HadamardIsItsOwnInverse) {
  Random random(12);
  for (const size_t n : {1UL, 2UL, 64UL, 128UL}) {
    const auto x = random.normals(3 * n);
    auto actual = x, expected = x;
    kernels().hadamard(actual.data(), n, 3);
    reference().hadamard(expected.data(), n, 3);
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5) << i;
    kernels().hadamard(actual.data(), n, 3);
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(actual[i], x[i], 1e-5) << i;
  }
}

TEST_P(AttendTest, StoresAsTheReference) {
  Random random(13);
  for (const Format format : kKvFormats) {
    SCOPED_TRACE(facts_of(format).name);
    auto x = random.normals(32 * 9);
    std::fill_n(x.begin(), 32, 0.0F);
    for (size_t i = 32; i < 64; ++i) x[i] = i % 2 ? 127.0F : -0.5F;  // ties
    for (size_t i = 64; i < 96; ++i) x[i] *= 1e-30F;
    std::vector<std::byte> actual(x.size() * 4), expected(actual.size());
    kernels().store(x.data(), x.size(), format, actual.data());
    reference().store(x.data(), x.size(), format, expected.data());
    EXPECT_EQ(actual, expected);
    std::vector<float> values(x.size());
    const FormatFacts& facts = facts_of(format);
    facts.decode(actual.data(), values.data(), x.size() / facts.block_values);
    const float coarse = format == Format::q4_0 ? 1 / 7.9F : 1 / 220.0F;  // of the largest of a block
    for (size_t i = 0; i < x.size(); ++i) {
      float largest = 0;
      for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::fabs(x[j]));
      ASSERT_NEAR(values[i], x[i], largest * coarse + 1e-7F) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Available, AttendTest, ::testing::ValuesIn(tested_ops()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
