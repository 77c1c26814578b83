#include "cli/report/experts_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/unicode.h"

namespace ogas::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Tokens that take a second each, and wait for the disk less and less.
ExpertsChart chart_of(size_t n_tokens) {
  ExpertsChart chart;
  ExpertStats stats;
  for (size_t idx = 0; idx < n_tokens; ++idx) {
    stats.wait_seconds += 0.8 / static_cast<double>(idx + 1);
    stats.n_bytes += 1'000'000 * (n_tokens - idx);
    chart.add(100 + static_cast<double>(idx), stats);
  }
  return chart;
}

size_t n_columns(std::string_view text) {
  size_t n = 0;
  for (; !text.empty(); text.remove_prefix(next_utf8(text).length)) ++n;
  return n;
}

TEST(ExpertsChart, ShowsHowTheTokensWent) {
  const auto lines = chart_of(9).lines(/*is_ascii=*/false);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "speed      ████████ 1.0 to 1.0 tok/s");
  EXPECT_EQ(lines[1], "computing  ▆▇▇▇████ 600 to 911 ms a token");
  EXPECT_EQ(lines[2], "waiting    ▄▃▃▂▂▂▂▂ 88.9 to 400 ms a token");
  EXPECT_EQ(lines[3], "from disk  █▇▆▅▅▄▃▂ 1.0 to 8.0 MB a token");
}

TEST(ExpertsChart, FitsWhateverTheLength) {
  for (const size_t n_tokens : {0U, 1U, 2U, 8U}) EXPECT_TRUE(chart_of(n_tokens).lines(false).empty()) << n_tokens;
  for (const size_t n_tokens : {9U, 40U, 41U, 42U, 100U, 12345U}) {
    const auto lines = chart_of(n_tokens).lines(/*is_ascii=*/true);
    ASSERT_EQ(lines.size(), 4U);
    for (const std::string& line : lines) {
      EXPECT_LT(n_columns(line), 80U) << line;
      EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; })) << line;
    }
    EXPECT_EQ(lines[0].substr(11, std::min<size_t>(n_tokens - 1, 40)),
              std::string(std::min<size_t>(n_tokens - 1, 40), '@'));
  }
  EXPECT_THAT(chart_of(2000).lines(true)[3], AllOf(StartsWith("from disk  @"), HasSubstr(" MB a token")));
}

}  // namespace
}  // namespace ogas::cli
