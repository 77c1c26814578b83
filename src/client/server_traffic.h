// How busy a server is, from what it counts: figures of now, and rates and times from differences of counters.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/prometheus.h"

namespace ogas::client {

// A histogram of Prometheus: how many were at most `bound`, which for the last is infinite.
struct HistogramCounts {
  std::vector<std::pair<double, double>> buckets;  // bound, count; both rise
  double sum = 0, count = 0;
};

// What is read of a server's metrics at one time; empty where it has none of that kind. ogas, vLLM and llama.cpp are
// known. Samples that differ in their labels only are added up.
struct ServerCounters {
  std::string model;
  std::optional<double> running, waiting, connections, pauses;
  std::optional<double> kv_used, kv_cached, kv_budget;  // bytes
  std::optional<double> kv_share;                       // of 1, where bytes are not told
  std::optional<double> memory;                         // bytes
  std::optional<double> prompt_tokens, cached_tokens, generated_tokens;
  std::optional<double> expert_hits, expert_misses, expert_bytes, expert_wait;
  std::optional<HistogramCounts> first_token, per_token;
  std::map<std::string, double> replies;  // by status

  static ServerCounters of(std::span<const Sample> samples);
  // Whether anything is known at all.
  bool is_empty() const;
};

struct Latency {
  double n = 0, mean = 0, p50 = 0, p90 = 0;  // seconds
};
// Of what was added between two times; n = 0: nothing. The quantiles take values as evenly spread within a bucket, and
// what lies above the last bound as lying there.
Latency latency_between(const HistogramCounts& before, const HistogramCounts& after);

// What was counted between two times. Counters that fell were reset in between (the server restarted).
struct TrafficChange {
  double seconds = 0;
  std::optional<double> prompt_rate, cached_rate, generated_rate;  // tokens a second
  std::optional<double> expert_hit_share, expert_byte_rate, expert_wait_share;
  std::optional<Latency> first_token, per_token;
  std::map<std::string, double> reply_rates;  // by status, a second
};

class TrafficHistory {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kLongest{60};  // how far back differences go
  static constexpr size_t kMaxRates = 240;

  void add(Clock::time_point when, ServerCounters counters);
  // The server went away: what is counted next has nothing to do with what was before. Rates stay to be shown.
  void forget();

  bool is_empty() const { return snapshots_.empty(); }
  // The latest; there must be one.
  const ServerCounters& now() const { return snapshots_.back().counters; }
  // From the latest back by so much, or as far as there are any.
  TrafficChange change(std::chrono::duration<double> back) const;
  // Tokens a second between each two times, oldest first.
  const std::deque<double>& prompt_rates() const { return prompt_rates_; }
  const std::deque<double>& generated_rates() const { return generated_rates_; }

 private:
  struct Snapshot {
    Clock::time_point when;
    ServerCounters counters;
  };
  std::deque<Snapshot> snapshots_;
  std::deque<double> prompt_rates_, generated_rates_;
};

}  // namespace ogas::client
