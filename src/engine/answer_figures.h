// One row for each figure of an answer: what it took. Every face that prints figures takes them from here, by the name
// that it has for them: the line below an answer of `ogas run` and `ogas chat`, `ogas run --json`, `ogas bench --json`,
// OpenAI's and Anthropic's usage, Ollama's durations, Prometheus' metrics, the C API.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "engine/request.h"

namespace ogas {

struct AnswerFigure {
  using Count = uint64_t (*)(const AnswerStats&);
  using Number = double (*)(const AnswerStats&);
  enum class Metric : uint8_t { none, counter, histogram };

  std::string_view name;  // of C's field, too
  std::string_view unit;  // "tokens", "s", "tokens/s"
  std::string_view help;  // one line
  std::variant<Count, Number> get;
  uint32_t min_generated = 0;        // answers of fewer tokens do not have it, and count in no histogram
  std::string_view run_json = {};    // path in the object of `ogas run --json`: "/timings/prefill_s"
  std::string_view bench_json = {};  // path in the report of `ogas bench --json`, of its first pass
  std::string_view usage = {};       // path in OpenAI's usage
  std::string_view responses = {};   // path in that of OpenAI's responses
  std::string_view anthropic = {};   // path in Anthropic's usage
  std::string_view ollama = {};      // field in Ollama's answers, which have nanoseconds for seconds
  std::string_view metric = {};      // of Prometheus
  Metric metric_kind = Metric::none;
  bool is_in_c = false;  // a field of ogas_stats

  double value(const AnswerStats& stats) const;
  // The value as people read it, without its unit: "12", "0.25", "34.5".
  std::string text(const AnswerStats& stats) const;
};

// Adding a figure is a row here, its member of AnswerStats, and its field in ogas.h.
std::span<const AnswerFigure> answer_figures();
// There must be one of this name.
const AnswerFigure& answer_figure(std::string_view name);

// Writes the figures that this face has, a member of AnswerFigure, into an object, each at its path.
using FigureFace = std::string_view AnswerFigure::*;
void add_figures(nlohmann::ordered_json& object, const AnswerStats& stats, FigureFace face);

// Adds an answer's counts to those of others. is_same_prompt: as the one before.
void add_counts(AnswerStats& sum, const AnswerStats& stats, bool is_same_prompt);

}  // namespace ogas
