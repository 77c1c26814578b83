// What ogas bench measured, as JSON, as a table, and as a comparison of two such reports.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "forecast/bench_figures.h"
#include "forecast/bench_serial.h"
#include "forecast/roofline_svg.h"

namespace ogas::cli {

struct BenchReport {
  std::string model, isa;
  unsigned n_threads = 0;
  Machine machine;
  std::optional<double> disk;                // bytes a second
  nlohmann::ordered_json experts = nullptr;  // if they were read from disk: how often, how fast
  uint64_t file_bytes = 0, peak_memory_bytes = 0;
  double load_seconds = 0;
  AnswerStats first_answer;  // of the first pass after loading
  std::vector<Figure> figures;
  std::optional<SerialSpeed> serial;
};

nlohmann::ordered_json as_json(const BenchReport& report);
std::string as_table(const BenchReport& report);
// The measured figures as a roofline chart, with the limits of memory and of the 8-bit peak.
Roofline as_roofline(const BenchReport& report);

// How many times faster the second report's figures are, for those that both have.
nlohmann::ordered_json compare_reports(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b);
std::string as_table(const nlohmann::ordered_json& comparison);
// Errors: io; usage if the file is not a report.
Result<nlohmann::ordered_json> read_report(const std::string& path);

}  // namespace ogas::cli
