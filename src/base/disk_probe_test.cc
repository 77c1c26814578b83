#include "base/disk_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "base/file.h"

namespace ogas {
namespace {

using ::testing::HasSubstr;
using Backend = DirectReader::Backend;

class DiskProbeTest : public ::testing::Test {
 protected:
  ~DiskProbeTest() override { std::filesystem::remove(path_); }
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("ogas_disk_probe_test_" + std::to_string(::getpid()));
};

TEST_F(DiskProbeTest, MeasuresUntilDeeperQueuesGainNothing) {
  for (const size_t size : {size_t{1}, size_t{300'001}, size_t{8} << 20})
    for (const Backend backend : {Backend::automatic, Backend::pread}) {
      ASSERT_TRUE(write_file_atomically(path_, std::string(size, 'x')));
      const auto start = std::chrono::steady_clock::now();
      const auto curve = measure_disk_curve(path_, backend);
      ASSERT_TRUE(curve) << curve.error().message;
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));  // half a second if idle
      ASSERT_FALSE(curve->rates.empty());
      EXPECT_EQ(curve->rates.front().depth, 1U);
      for (size_t i = 0; i < curve->rates.size(); ++i) {
        const DiskRate& rate = curve->rates[i];
        EXPECT_GT(rate.bytes_per_second, 0);
        EXPECT_EQ(rate.piece_bytes % DirectReader::kBlock, 0U);
        EXPECT_LE(rate.bytes_per_second, curve->best.bytes_per_second * 1.06);
        if (rate.depth == 1) continue;
        EXPECT_EQ(curve->rates[i - 1].depth * 2, rate.depth);
        if (rate.depth < 8) continue;
        // Continues only if one of the last two depths gained.
        const auto rate_before = [&](size_t n) { return curve->rates[i - n].bytes_per_second; };
        EXPECT_GE(std::max(rate_before(1), rate_before(2)), rate_before(3) * 1.05);
      }
    }
}

TEST_F(DiskProbeTest, ErrorsNameTheFile) {
  EXPECT_EQ(measure_disk_curve(path_).error().code, ErrorCode::not_found);
  ASSERT_TRUE(write_file_atomically(path_, ""));
  EXPECT_THAT(measure_disk_curve(path_).error().message, HasSubstr("ogas_disk_probe_test"));
}

TEST(DiskRates, TheFewestBytesUnderWayThatAreQuickEnough) {
  const auto chosen = [](const std::vector<DiskRate>& rates) {
    const DiskRate rate = choose_rate(rates);
    return std::pair(rate.piece_bytes, rate.depth);
  };
  EXPECT_EQ(chosen({{4096, 1, 1e9}}), std::pair(size_t{4096}, 1U));
  EXPECT_EQ(chosen({{4096, 1, 1e9}, {4096, 2, 1.9e9}, {4096, 4, 1.95e9}}), std::pair(size_t{4096}, 2U));
  EXPECT_EQ(chosen({{4096, 8, 1.9e9}, {8192, 2, 1.95e9}, {8192, 4, 2e9}}), std::pair(size_t{8192}, 2U));
  EXPECT_EQ(chosen({{4096, 8, 2e9}, {16384, 2, 1.95e9}}), std::pair(size_t{16384}, 2U));
}

TEST(DiskRates, ReadersHaveWorkBetweenPolls) {
  const DiskCurve curve{.rates = {}, .best = {1 << 20, 4, 1e9}, .is_direct = true, .backend = Backend::pread};
  const auto options = reader_options(curve, 0.01);
  EXPECT_EQ(options.backend, Backend::pread);
  EXPECT_EQ(options.piece_bytes, size_t{1} << 20);
  EXPECT_EQ(options.depth, 10U);
  EXPECT_EQ(reader_options(curve, 0).depth, 4U);
  EXPECT_EQ(reader_options(curve, 10).depth, DirectReader::kMaxDepth);
}

}  // namespace
}  // namespace ogas
