// What the server has done, for Prometheus and `ogas top`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/request.h"

namespace ogas::server {

// Counts by upper bounds, in seconds.
class Histogram {
 public:
  static constexpr std::array kBounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0};
  void add(double seconds);
  // Lines of Prometheus' text format.
  void print(std::string_view name, std::string_view help, std::string& out) const;

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_{};
  double sum_ = 0;
};

// All members may be called from any thread.
class Metrics {
 public:
  Metrics();
  void count_reply(std::string_view path, unsigned status);
  void count_token() { n_generated_.fetch_add(1, std::memory_order_relaxed); }  // as it is drawn
  void count_answer(const AnswerStats& stats, FinishReason finish);

  // What is true just now, asked of the engine.
  struct Now {
    size_t n_running = 0, n_waiting = 0, n_connections = 0;
    uint64_t n_preemptions = 0, kv_bytes_used = 0, kv_bytes_cached = 0, kv_bytes_budget = 0, memory_bytes = 0;
    uint64_t expert_hits = 0, expert_misses = 0, expert_bytes_read = 0;
    double expert_wait_seconds = 0;
    bool reads_experts = false;
  };
  std::string prometheus(std::string_view model, const Now& now) const;

 private:
  void print_answers(std::string& out) const;

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, unsigned>, uint64_t> replies_;
  std::map<std::string_view, uint64_t> finishes_;
  std::atomic<uint64_t> n_generated_ = 0;
  std::vector<double> sums_;           // of answer_figures()
  std::vector<Histogram> histograms_;  // of them
};

}  // namespace ogas::server
