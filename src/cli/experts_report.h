// What experts that are read from disk cost an answer, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nn/expert_store.h"

namespace ogas::cli {

// "37 of 128 experts a layer in memory hold 82% of uses; ..." of all that was computed; `seconds` is how long it took.
std::string describe_experts(const ExpertStore& experts, double seconds);
nlohmann::ordered_json experts_json(const ExpertStore& experts);

// How the tokens of an answer went, one after the other, as a small chart.
class ExpertsChart {
 public:
  // A token has come, so many seconds after whenever; stats: of all that was computed until then.
  void add(double seconds, const ExpertStore::Stats& stats) { points_.push_back({seconds, stats}); }
  // Lines of less than 80 columns: tokens a second, what a token took to compute and to wait for the disk, on one
  // scale, and what it read. None where there are too few tokens to see anything.
  std::vector<std::string> lines(bool is_ascii) const;

 private:
  struct Point {
    double seconds;
    ExpertStore::Stats stats;
  };
  std::vector<Point> points_;
};

}  // namespace ogas::cli
