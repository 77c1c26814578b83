// What experts that are read from disk cost an answer, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/expert_stats.h"

namespace ogas::cli {

// Of all that was computed.
nlohmann::ordered_json experts_json(const ExpertStats& stats);

// How the tokens of an answer went, one after the other, as a small chart.
class ExpertsChart {
 public:
  // Records a token. seconds: since any fixed time; stats: of all that was computed until then.
  void add(double seconds, const ExpertStats& stats) { points_.push_back({seconds, stats}); }
  // Lines of less than 80 columns: tokens a second, what a token took to compute and to wait for the disk, on one
  // scale, and what it read. None where there are too few tokens to see anything.
  std::vector<std::string> lines(bool is_ascii) const;

 private:
  struct Point {
    double seconds;
    ExpertStats stats;
  };
  std::vector<Point> points_;
};

// What experts did for one answer; nothing where they are all in memory.
class ExpertsReport {
 public:
  // Before the answer. Where there are eyes for a chart, request.on_token watches its tokens: `this` must outlive it.
  ExpertsReport(const Engine& engine, Request& request);
  ExpertsReport(const ExpertsReport&) = delete;
  ExpertsReport& operator=(const ExpertsReport&) = delete;

  // "experts: 29% in memory (1.0 GB), ...", and the chart. seconds: what the answer took.
  std::vector<std::string> lines(double seconds) const;

 private:
  const Engine& engine_;
  std::optional<ExpertStats> before_;  // none: they are all in memory
  ExpertsChart chart_;
};

}  // namespace ogas::cli
