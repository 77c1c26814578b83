#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/answer_figures.h"

namespace ogas::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr AnswerStats kStats = {.n_prompt = 100,
                                .n_cached = 30,
                                .n_generated = 5,
                                .prefill_seconds = 2,
                                .decode_seconds = 4,
                                .first_token_seconds = 2.25,
                                .cost = {.n_rows = 75, .seconds = 5.5}};

TEST(Metrics, HaveEveryFigureOfAnAnswer) {
  Metrics metrics;
  for (int n = 0; n < 2; ++n) metrics.count_answer(kStats, FinishReason::stop);
  for (uint32_t n = 0; n < 2 * kStats.n_generated; ++n) metrics.count_token();
  const std::string text = metrics.prometheus("a model", {});
  for (const AnswerFigure& figure : answer_figures()) {
    if (figure.metric.empty()) continue;
    const bool is_counter = figure.metric_kind == AnswerFigure::Metric::counter;
    EXPECT_THAT(text, HasSubstr(fmt::format("# HELP {} {}\n# TYPE {} {}\n", figure.metric, figure.help, figure.metric,
                                            is_counter ? "counter" : "histogram")));
    EXPECT_THAT(
        text, HasSubstr(fmt::format("\n{}{} {}\n", figure.metric, is_counter ? "" : "_sum", 2 * figure.value(kStats))));
  }
}

TEST(Metrics, AnswersWithoutTokensHaveNoFirstOne) {
  Metrics metrics;
  AnswerStats stats;
  stats.prefill_seconds = 1;
  metrics.count_answer(stats, FinishReason::cancelled);
  const std::string text = metrics.prometheus("a model", {});
  EXPECT_THAT(text, HasSubstr("\nogas_first_token_seconds_count 0\n"));
  EXPECT_THAT(text, HasSubstr("\nogas_time_per_token_seconds_count 0\n"));
  EXPECT_THAT(text, HasSubstr("\nogas_answer_seconds_count 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("ogas_expert_hits_total"))) << "experts are in memory";
}

}  // namespace
}  // namespace ogas::server
