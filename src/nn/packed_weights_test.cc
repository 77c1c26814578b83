// Layers over packed weights give what they gave before, whole and in parts, and reading errors come out.
#include "nn/packed_weights.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <random>

#include "kernels/kernels_test_tools.h"
#include "ops/cpu/local_exec.h"

namespace ogas {
namespace {

constexpr size_t kRows = 150, kIn = 288;

// Q8_0: an F16 scale of 1/64 or so and 32 codes.
std::vector<std::byte> random_rows(size_t n_rows) {
  std::mt19937 random(7);
  std::vector<std::byte> bytes(n_rows * kIn / 32 * 34);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (size_t block = 0; block < bytes.size(); block += 34) {
    const auto scale = static_cast<uint16_t>(0x2400 + random() % 512);
    std::memcpy(&bytes[block], &scale, 2);
  }
  return bytes;
}

class PackedWeightsTest : public ::testing::TestWithParam<const CpuKernels*> {
 protected:
  PackedWeightsTest() : x_(kTokens, kIn) {
    std::mt19937 random(8);
    for (size_t t = 0; t < kTokens; ++t) {
      for (float& value : std::span(x_.write(t, 1).row(t), kIn)) value = static_cast<float>(random() % 2001) / 1000 - 1;
      x_.quantize_row(kernels(), t, RowKind::decode);
    }
  }
  std::vector<float> times_x(const Linear& linear) {
    const Matrix y(kTokens, linear.n_out());
    exec_.device.multiply(x_, kTokens, {{linear, y}});
    return {y.data(), y.data() + kTokens * linear.n_out()};
  }
  static void expect_near(const std::vector<float>& actual, const std::vector<float>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-3) << i;  // of about 20
  }

  const CpuKernels& kernels() const { return *GetParam(); }

  static constexpr size_t kTokens = 5;
  ThreadPool pool_{3};
  Scratch scratch_{pool_.size()};
  LocalExec exec_{pool_, *GetParam(), scratch_};
  Activations x_;
  const std::vector<std::byte> bytes_ = random_rows(kRows);
};

TEST_P(PackedWeightsTest, WholeAndInParts) {
  const Linear mapped(Format::q8_0, bytes_.data(), kRows, kIn);
  Linear whole = mapped, again = mapped, odd = mapped.every(2, 1).rows(3, 50);
  Linear* const linears[] = {&whole, &odd, &again};
  PackedWeights packed(kernels(), linears);
  std::atomic<size_t> n_read = 0, n_released = 0;
  uint64_t n_reported = 0;
  const PackedWeights::Mapping counting{
      .read = [&](auto part) -> Result<> { return n_read += part.size(), Result<>{}; },
      .release = [&](auto part) { n_released += part.size(); }};
  ASSERT_TRUE(
      packed.pack(pool_, counting, [&](uint64_t n_bytes) -> Result<> { return n_reported += n_bytes, Result<>{}; }));
  if (kernels().panel_rows > 0) {
    EXPECT_EQ(packed.n_stored_bytes(), bytes_.size() + odd.stored_rows(0, 50).size());
    EXPECT_EQ(n_read, packed.n_stored_bytes());
    EXPECT_GE(n_released, n_read);
    EXPECT_GT(packed.n_bytes(), 0U);
  }
  EXPECT_EQ(n_reported, packed.n_stored_bytes());
  const auto expected = times_x(mapped);
  expect_near(times_x(whole), expected);
  EXPECT_EQ(times_x(again), times_x(whole));
  expect_near(times_x(odd), times_x(mapped.every(2, 1).rows(3, 50)));
  expect_near(times_x(whole.every(3, 2)), times_x(mapped.every(3, 2)));
  expect_near(times_x(odd.rows(7, 21)), times_x(mapped.every(2, 1).rows(10, 21)));
  const auto part = times_x(whole.rows(21, 70).rows(2, 33));
  const auto all = times_x(whole);
  for (size_t t = 0; t < kTokens; ++t)
    for (size_t o = 0; o < 33; ++o) ASSERT_EQ(part[t * 33 + o], all[t * kRows + 23 + o]) << o;
  std::vector<float> row(kIn), expected_row(kIn);
  whole.decode_packed_row(kernels(), 149, row.data());
  mapped.decode_row(149, expected_row.data());
  EXPECT_EQ(row, expected_row);
}

// In addition to panels, for what decodes them one by one; where all is copied, that is all of it.
TEST_P(PackedWeightsTest, KeepsRowsWhereTheyAreAskedFor) {
  std::vector<std::byte> file = bytes_;
  const Linear mapped(Format::q8_0, file.data(), kRows, kIn);
  Linear part = mapped.rows(20, 100), again = part, other = mapped.rows(120, 30);
  again.keep_rows();
  part.keep_rows();
  Linear* const linears[] = {&other, &part, &again};
  PackedWeights packed(kernels(), linears, PackedWeights::Others::copied);
  const PackedWeights::Mapping mapping{.read = [](auto) -> Result<> { return {}; }, .release = [](auto) {}};
  ASSERT_TRUE(packed.pack(pool_, mapping, {}));
  const auto expected = times_x(part), expected_other = times_x(other);
  std::vector<float> row(kIn), expected_row(kIn);
  mapped.decode_row(20 + 77, expected_row.data());
  std::ranges::fill(file, std::byte{});
  for (const Linear& linear : {part, again}) {
    linear.decode_row(77, row.data());
    EXPECT_EQ(row, expected_row);
    EXPECT_EQ(times_x(linear), expected);
    linear.rows(70, 30).decode_row(7, row.data());
    EXPECT_EQ(row, expected_row);
  }
  EXPECT_EQ(times_x(other), expected_other);
}

TEST_P(PackedWeightsTest, KnowsWhichTensorsItReplaces) {
  const Linear mapped(Format::q8_0, bytes_.data(), kRows, kIn);
  Linear first = mapped.rows(0, 50), second = mapped.rows(50, 60), last = mapped.rows(130, 20);
  Linear* const linears[] = {&last, &first, &second};
  const PackedWeights packed(kernels(), linears);
  const bool has_panels = kernels().panel_rows > 0;
  EXPECT_EQ(packed.replaces(mapped.stored_rows(0, 110)), has_panels);
  EXPECT_EQ(packed.replaces(mapped.stored_rows(130, 150)), has_panels);
  EXPECT_FALSE(packed.replaces(mapped.stored_rows(0, 111)));
  EXPECT_FALSE(packed.replaces(mapped.stored_rows(110, 150)));
}

TEST_P(PackedWeightsTest, ReadingErrorsComeOut) {
  if (kernels().panel_rows == 0) return;
  Linear whole(Format::q8_0, bytes_.data(), kRows, kIn);
  Linear* const linears[] = {&whole};
  PackedWeights packed(kernels(), linears);
  const PackedWeights::Mapping broken{.read = [](auto) -> Result<> { return fail(ErrorCode::io, "a bad sector"); },
                                      .release = [](auto) {}};
  const auto result = packed.pack(pool_, broken, nullptr);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "a bad sector");
}

// Within a matrix, not only after it.
TEST_P(PackedWeightsTest, ProgressEndsIt) {
  if (kernels().panel_rows == 0) return;
  constexpr size_t kMany = 120'000;  // rows, 37 MB
  const std::vector<std::byte> bytes(kMany * kIn / 32 * 34);
  Linear whole(Format::q8_0, bytes.data(), kMany, kIn);
  Linear* const linears[] = {&whole};
  PackedWeights packed(kernels(), linears);
  const PackedWeights::Mapping mapping{.read = [](auto) { return Result<>(); }, .release = [](auto) {}};
  ThreadPool alone(1);
  uint64_t n_reported = 0;
  const auto result = packed.pack(alone, mapping, [&](uint64_t n_bytes) -> Result<> {
    EXPECT_EQ(n_reported, 0U) << "it was to end";
    n_reported += n_bytes;
    return fail(ErrorCode::cancelled, "enough");
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "enough");
  EXPECT_GT(n_reported, 0U);
  EXPECT_LT(n_reported, bytes.size());

  // To the end, of every second row: what lies between them counts, too.
  Linear odd = Linear(Format::q8_0, bytes.data(), kMany, kIn).every(2, 1);
  Linear* const others[] = {&odd};
  PackedWeights again(kernels(), others);
  n_reported = 0;
  ASSERT_TRUE(again.pack(alone, mapping, [&](uint64_t n_bytes) { return n_reported += n_bytes, Result<>(); }));
  EXPECT_EQ(n_reported, again.n_stored_bytes());
}

INSTANTIATE_TEST_SUITE_P(Available, PackedWeightsTest, ::testing::ValuesIn(available_kernels()),
                         [](const auto& test) { return test_name(*test.param); });

}  // namespace
}  // namespace ogas
