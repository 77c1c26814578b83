#include "engine/answer_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ogas {
namespace {

// All figures differ.
AnswerStats some_stats() {
  return {.n_prompt = 100,
          .n_cached = 30,
          .n_generated = 11,
          .prefill_seconds = 2,
          .decode_seconds = 7,
          .first_token_seconds = 2.25,
          .cost = {.n_rows = 85, .seconds = 6.5}};
}

TEST(AnswerFigures, RowsAreWhole) {
  std::set<std::string_view> names, metrics;
  std::set<double> values;
  for (const AnswerFigure& figure : answer_figures()) {
    EXPECT_TRUE(names.insert(figure.name).second) << figure.name;
    EXPECT_TRUE(values.insert(figure.value(some_stats())).second) << figure.name;
    EXPECT_FALSE(figure.help.empty() || figure.help.ends_with(".")) << figure.name;
    EXPECT_THAT(figure.unit, ::testing::AnyOf("tokens", "s", "tokens/s"));
    EXPECT_EQ(figure.metric.empty(), figure.metric_kind == AnswerFigure::Metric::none) << figure.name;
    EXPECT_TRUE(figure.metric.empty() || metrics.insert(figure.metric).second) << figure.metric;
    EXPECT_EQ(figure.metric.ends_with("_total"), figure.metric_kind == AnswerFigure::Metric::counter) << figure.metric;
    EXPECT_TRUE(figure.is_in_c || !figure.metric.empty() || !figure.run_json.empty() || !figure.usage.empty() ||
                !figure.anthropic.empty())
        << "no face prints " << figure.name;
  }
}

TEST(AnswerFigures, EachFaceHasItsOwn) {
  for (const FigureFace face : {&AnswerFigure::run_json, &AnswerFigure::bench_json, &AnswerFigure::usage,
                                &AnswerFigure::responses, &AnswerFigure::anthropic, &AnswerFigure::ollama}) {
    nlohmann::ordered_json object = {{"other", 1}};
    add_figures(object, some_stats(), face);
    EXPECT_EQ(object["other"], 1);
    for (const AnswerFigure& figure : answer_figures()) {
      if ((figure.*face).empty()) continue;
      const bool is_nanoseconds = face == &AnswerFigure::ollama && figure.unit == "s";
      const auto path = nlohmann::ordered_json::json_pointer(std::string(figure.*face));
      ASSERT_TRUE(object.contains(path)) << figure.name;
      EXPECT_EQ(object[path].get<double>(), figure.value(some_stats()) * (is_nanoseconds ? 1e9 : 1)) << figure.name;
    }
  }
}

TEST(AnswerFigures, PeopleReadThem) {
  EXPECT_EQ(answer_figure("n_prompt").text(some_stats()), "100");
  EXPECT_EQ(answer_figure("first_token_seconds").text(some_stats()), "2.25");
  EXPECT_EQ(answer_figure("prefill_rate").text(some_stats()), "35.0");
  EXPECT_EQ(answer_figure("prefill_rate").text({.n_prompt = 300, .prefill_seconds = 2}), "150");
  EXPECT_EQ(answer_figure("decode_rate").text({}), "0.0");
}

TEST(AnswerFigures, CountsAddUp) {
  AnswerStats sum;
  add_counts(sum, some_stats(), false);
  add_counts(sum, some_stats(), true);
  EXPECT_EQ(sum.n_prompt, 100U);
  EXPECT_EQ(sum.n_generated, 22U);
  EXPECT_EQ(sum.cost.n_rows, 170U);
}

}  // namespace
}  // namespace ogas
