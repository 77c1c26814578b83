#include "engine/answer_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/check.h"

namespace ogas {
namespace {

using Stats = AnswerStats;
using Metric = AnswerFigure::Metric;

constexpr AnswerFigure kFigures[] = {
    {.name = "n_prompt",
     .unit = "tokens",
     .help = "Tokens of prompts",
     .get = [](const Stats& stats) -> uint64_t { return stats.n_prompt; },
     .run_json = "/prompt_tokens",
     .usage = "/prompt_tokens",
     .responses = "/input_tokens",
     .ollama = "/prompt_eval_count",
     .metric = "ogas_prompt_tokens_total",
     .metric_kind = Metric::counter,
     .is_in_c = true},
    {.name = "n_cached",
     .unit = "tokens",
     .help = "Tokens of prompts that were cached and not computed again",
     .get = [](const Stats& stats) -> uint64_t { return stats.n_cached; },
     .run_json = "/cached_tokens",
     .usage = "/prompt_tokens_details/cached_tokens",
     .responses = "/input_tokens_details/cached_tokens",
     .anthropic = "/cache_read_input_tokens",
     .metric = "ogas_prompt_tokens_cached_total",
     .metric_kind = Metric::counter,
     .is_in_c = true},
    {.name = "n_input",
     .unit = "tokens",
     .help = "Tokens of prompts that were not cached",
     .get = [](const Stats& stats) -> uint64_t { return stats.n_prompt - stats.n_cached; },
     .anthropic = "/input_tokens"},
    {.name = "n_generated",
     .unit = "tokens",
     .help = "Tokens generated",
     .get = [](const Stats& stats) -> uint64_t { return stats.n_generated; },
     .run_json = "/completion_tokens",
     .usage = "/completion_tokens",
     .responses = "/output_tokens",
     .anthropic = "/output_tokens",
     .ollama = "/eval_count",
     .metric = "ogas_generated_tokens_total",
     .metric_kind = Metric::counter,
     .is_in_c = true},
    {.name = "n_total",
     .unit = "tokens",
     .help = "Tokens of prompts and answers",
     .get = [](const Stats& stats) -> uint64_t { return uint64_t{stats.n_prompt} + stats.n_generated; },
     .usage = "/total_tokens",
     .responses = "/total_tokens"},
    {.name = "n_computed",
     .unit = "tokens",
     .help = "Tokens computed for answers, rejected drafts included",
     .get = [](const Stats& stats) -> uint64_t { return stats.cost.n_rows; },
     .run_json = "/computed_tokens",
     .metric = "ogas_computed_tokens_total",
     .metric_kind = Metric::counter,
     .is_in_c = true},
    {.name = "first_token_seconds",
     .unit = "s",
     .help = "From a request's submission to its first token",
     .get = [](const Stats& stats) { return stats.first_token_seconds; },
     .min_generated = 1,
     .run_json = "/timings/first_token_s",
     .bench_json = "/first_token_s",
     .metric = "ogas_first_token_seconds",
     .metric_kind = Metric::histogram,
     .is_in_c = true},
    {.name = "prefill_seconds",
     .unit = "s",
     .help = "From a request's submission to the end of its prompt",
     .get = [](const Stats& stats) { return stats.prefill_seconds; },
     .run_json = "/timings/prefill_s",
     .ollama = "/prompt_eval_duration",
     .is_in_c = true},
    {.name = "decode_seconds",
     .unit = "s",
     .help = "From the end of a prompt to the end of its answer",
     .get = [](const Stats& stats) { return stats.decode_seconds; },
     .run_json = "/timings/decode_s",
     .ollama = "/eval_duration",
     .is_in_c = true},
    {.name = "compute_seconds",
     .unit = "s",
     .help = "An answer's share of the time of the passes that it was computed in",
     .get = [](const Stats& stats) { return stats.cost.seconds; },
     .run_json = "/timings/compute_s",
     .metric = "ogas_compute_seconds_total",
     .metric_kind = Metric::counter,
     .is_in_c = true},
    {.name = "prefill_rate",
     .unit = "tokens/s",
     .help = "Tokens of a prompt computed in a second",
     .get = [](const Stats& stats) { return stats.prefill_rate(); },
     .run_json = "/timings/prefill_tokens_per_s"},
    {.name = "decode_rate",
     .unit = "tokens/s",
     .help = "Tokens generated in a second, after the first",
     .get = [](const Stats& stats) { return stats.decode_rate(); },
     .run_json = "/timings/decode_tokens_per_s"},
    {.name = "token_seconds",
     .unit = "s",
     .help = "Mean time between tokens of an answer",
     .get =
         [](const Stats& stats) { return stats.n_generated < 2 ? 0 : stats.decode_seconds / (stats.n_generated - 1); },
     .min_generated = 2,
     .metric = "ogas_time_per_token_seconds",
     .metric_kind = Metric::histogram},
    {.name = "answer_seconds",
     .unit = "s",
     .help = "From a request's submission to the end of its answer",
     .get = [](const Stats& stats) { return stats.prefill_seconds + stats.decode_seconds; },
     .metric = "ogas_answer_seconds",
     .metric_kind = Metric::histogram},
};

}  // namespace

double AnswerFigure::value(const AnswerStats& stats) const {
  return std::visit([&](auto function) { return static_cast<double>(function(stats)); }, get);
}

std::string AnswerFigure::text(const AnswerStats& stats) const {
  const double number = value(stats);
  const int n_decimals = unit == "tokens" ? 0 : unit == "s" ? 2 : number < 100 ? 1 : 0;
  return fmt::format("{:.{}f}", number, n_decimals);
}

std::span<const AnswerFigure> answer_figures() { return kFigures; }

const AnswerFigure& answer_figure(std::string_view name) {
  const auto* found = std::ranges::find(kFigures, name, &AnswerFigure::name);
  OGAS_CHECK(found != std::end(kFigures), "answer_figures() lacks {}", name);
  return *found;
}

void add_figures(nlohmann::ordered_json& object, const AnswerStats& stats, FigureFace face) {
  for (const AnswerFigure& figure : kFigures) {
    if ((figure.*face).empty()) continue;
    auto& target = object[nlohmann::ordered_json::json_pointer(std::string(figure.*face))];
    if (face == &AnswerFigure::ollama && figure.unit == "s")
      target = static_cast<int64_t>(figure.value(stats) * 1e9);
    else
      std::visit([&](auto function) { target = function(stats); }, figure.get);
  }
}

void add_counts(AnswerStats& sum, const AnswerStats& stats, bool is_same_prompt) {
  if (!is_same_prompt) {
    sum.n_prompt += stats.n_prompt;
    sum.n_cached += stats.n_cached;
  }
  sum.n_generated += stats.n_generated;
  sum.cost += stats.cost;
}

}  // namespace ogas
