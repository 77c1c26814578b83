#include "cli/report/traffic_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace ogas::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TrafficReport, SparklinesShowTheLatest) {
  EXPECT_EQ(sparkline({}, 5), "");
  EXPECT_EQ(sparkline({0, 0}, 5), "  ");
  EXPECT_EQ(sparkline({9, 0, 1, 4, 7}, 4), " ▂▅█");
  EXPECT_EQ(sparkline({1, std::numeric_limits<double>::infinity()}, 4), "▁▁");
  EXPECT_EQ(sparkline({1, 2}, 0), "");
  EXPECT_EQ(sparkline({0, 1, 4, 9}, 4, /*most=*/8), " ▂▅█");
  EXPECT_EQ(sparkline({0, 1, 4, 8}, 4, 0, /*is_ascii=*/true), " :+@");
}

TEST(TrafficReport, OddNumbersAreShownAsTheyCan) {
  client::TrafficHistory history;
  client::ServerCounters counters;
  counters.running = 1e300;
  counters.memory = -5;
  counters.kv_share = 7;
  counters.replies["2\n\x1b[2J"] = 1e308;
  for (int idx = 0; idx < 2; ++idx) history.add(client::TrafficHistory::Clock::time_point(), counters);
  for (const int n_columns : {0, 1, 80, 100'000})
    for (const std::string& line : load_lines(history, n_columns, true))
      EXPECT_EQ(line.find_first_of("\n\x1b"), std::string::npos);
  EXPECT_THAT(load_json(history, "u").dump(), HasSubstr(R"("generated_tokens_per_second":null)"));
}

TEST(TrafficReport, FirstLooksHaveNoRates) {
  client::TrafficHistory history;
  client::ServerCounters counters;
  counters.generated_tokens = 5;
  counters.memory = 1e6;
  history.add({}, counters);
  EXPECT_THAT(load_lines(history, 80, true), ElementsAre("memory       1.00 MB"));
}

}  // namespace
}  // namespace ogas::cli
