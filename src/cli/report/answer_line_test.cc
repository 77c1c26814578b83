#include "cli/report/answer_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/bench/bench_report.h"

namespace ogas::cli {
namespace {

constexpr AnswerStats kStats = {.n_prompt = 100,
                                .n_cached = 30,
                                .n_generated = 11,
                                .prefill_seconds = 2,
                                .decode_seconds = 7,
                                .first_token_seconds = 2.25};

TEST(AnswerLine, HasTheFiguresOfTheAnswer) {
  EXPECT_THAT(describe_answer(kStats),
              ::testing::StartsWith(
                  "100 + 11 tok (30 remembered) · prefill 35.0, decode 1.4 tok/s · first token 2.25 s · peak "));
  EXPECT_THAT(describe_answer({.n_prompt = 500, .n_generated = 1, .prefill_seconds = 2, .first_token_seconds = 2}),
              ::testing::StartsWith("500 + 1 tok · prefill 250 tok/s · first token 2.00 s · peak "));
}

TEST(AnswerLine, OfAServerHasWhatIsKnown) {
  EXPECT_EQ(describe_remote_answer(kStats),
            "100 + 11 tok (30 remembered) · 1.4 tok/s · first token 2.25 s · total 9.00 s");
  EXPECT_EQ(describe_remote_answer({.prefill_seconds = 2, .decode_seconds = 1, .first_token_seconds = 2}),
            "first token 2.00 s · total 3.00 s");
  EXPECT_EQ(describe_remote_answer({.n_prompt = 3, .n_generated = 1}), "3 + 1 tok");
  EXPECT_EQ(describe_remote_answer({}), "");
}

TEST(AnswerLine, BenchReportsTheSameFigure) {
  BenchReport report;
  report.machine.bandwidth = {1};
  report.first_answer = kStats;
  EXPECT_EQ(as_json(report)["first_token_s"], 2.25);
  EXPECT_THAT(as_table(report), ::testing::HasSubstr("\nfirst token            2.25 s (prompt of 100)\n"));
}

}  // namespace
}  // namespace ogas::cli
