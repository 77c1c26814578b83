#include "client/server_traffic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <limits>

namespace ogas::client {
namespace {

constexpr size_t kMaxBuckets = 256;
constexpr size_t kMaxStatuses = 64;

struct NumberRow {
  std::optional<double> ServerCounters::* field;
  std::initializer_list<std::string_view> names;  // what servers call it
};

// Names of ogas first, then of vLLM and llama.cpp.
const NumberRow kNumbers[] = {
    {&ServerCounters::running, {"ogas_requests_running", "vllm:num_requests_running", "llamacpp:requests_processing"}},
    {&ServerCounters::waiting, {"ogas_requests_waiting", "vllm:num_requests_waiting", "llamacpp:requests_deferred"}},
    {&ServerCounters::connections, {"ogas_connections"}},
    {&ServerCounters::pauses, {"ogas_pauses_total", "vllm:num_preemptions_total"}},
    {&ServerCounters::kv_used, {"ogas_kv_bytes_used"}},
    {&ServerCounters::kv_cached, {"ogas_kv_bytes_cached"}},
    {&ServerCounters::kv_budget, {"ogas_kv_bytes_budget"}},
    {&ServerCounters::kv_share,
     {"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "llamacpp:kv_cache_usage_ratio"}},
    {&ServerCounters::memory, {"process_resident_memory_bytes"}},
    {&ServerCounters::prompt_tokens,
     {"ogas_prompt_tokens_total", "vllm:prompt_tokens_total", "llamacpp:prompt_tokens_total"}},
    {&ServerCounters::cached_tokens, {"ogas_prompt_tokens_cached_total"}},
    {&ServerCounters::generated_tokens,
     {"ogas_generated_tokens_total", "vllm:generation_tokens_total", "llamacpp:tokens_predicted_total"}},
    {&ServerCounters::expert_hits, {"ogas_expert_hits_total"}},
    {&ServerCounters::expert_misses, {"ogas_expert_misses_total"}},
    {&ServerCounters::expert_bytes, {"ogas_expert_bytes_read_total"}},
    {&ServerCounters::expert_wait, {"ogas_expert_wait_seconds_total"}},
};

struct HistogramRow {
  std::optional<HistogramCounts> ServerCounters::* field;
  std::initializer_list<std::string_view> names;
};

const HistogramRow kHistograms[] = {
    {&ServerCounters::first_token, {"ogas_first_token_seconds", "vllm:time_to_first_token_seconds"}},
    {&ServerCounters::per_token,
     {"ogas_time_per_token_seconds", "vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"}},
};

std::optional<double> sum_of(std::span<const Sample> samples, std::string_view name) {
  std::optional<double> sum;
  for (const Sample& sample : samples)
    if (sample.name == name && std::isfinite(sample.value)) sum = sum.value_or(0) + sample.value;
  return sum;
}

std::optional<double> read_bound(std::string_view text) {
  if (text == "+Inf" || text == "Inf") return std::numeric_limits<double>::infinity();
  double bound = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return bound;
}

std::optional<HistogramCounts> histogram_of(std::span<const Sample> samples, std::string_view name) {
  const std::string bucket = std::string(name) + "_bucket";
  std::map<double, double> counts;
  for (const Sample& sample : samples) {
    if (sample.name != bucket || !std::isfinite(sample.value)) continue;
    const auto bound = read_bound(sample.label("le"));
    if (bound && *bound >= 0 && (counts.size() < kMaxBuckets || counts.contains(*bound)))
      counts[*bound] += sample.value;
  }
  if (counts.empty()) return {};
  HistogramCounts result{.buckets = {counts.begin(), counts.end()}};
  result.sum = sum_of(samples, std::string(name) + "_sum").value_or(0);
  result.count = sum_of(samples, std::string(name) + "_count").value_or(result.buckets.back().second);
  return result;
}

std::string model_of(std::span<const Sample> samples) {
  for (const Sample& sample : samples)
    if (sample.name == "ogas_info" && !sample.label("model").empty()) return std::string(sample.label("model"));
  for (const Sample& sample : samples)
    if (!sample.label("model_name").empty()) return std::string(sample.label("model_name"));
  return {};
}

void count_replies(std::span<const Sample> samples, std::map<std::string, double>& replies) {
  for (const Sample& sample : samples) {
    if (sample.name != "ogas_http_replies_total" || !std::isfinite(sample.value)) continue;
    const std::string status(sample.label("status"));
    if (replies.size() < kMaxStatuses || replies.contains(status)) replies[status] += sample.value;
  }
}

// A counter's growth; one that fell was reset in between.
double growth(double before, double after) { return after >= before ? after - before : after; }

std::optional<double> growth(const std::optional<double>& before, const std::optional<double>& after) {
  if (!after) return {};
  return growth(before.value_or(0), *after);
}

std::optional<double> divided(const std::optional<double>& part, double whole) {
  if (!part || !(whole > 0)) return {};
  return *part / whole;
}

// Where this share of the values lies below. Counts rise from bound to bound.
double quantile(std::span<const std::pair<double, double>> buckets, double share) {
  const double wanted = share * buckets.back().second;
  double low = 0, below = 0;
  for (const auto& [bound, count] : buckets) {
    if (count >= wanted) {
      if (std::isinf(bound)) return low;
      if (count <= below) return bound;
      return std::lerp(low, bound, std::clamp((wanted - below) / (count - below), 0.0, 1.0));
    }
    low = bound;
    below = count;
  }
  return low;
}

std::optional<Latency> latency(const std::optional<HistogramCounts>& before,
                               const std::optional<HistogramCounts>& after) {
  if (!after) return {};
  return latency_between(before.value_or(HistogramCounts()), *after);
}

void remember(std::deque<double>& rates, std::optional<double> rate) {
  rates.push_back(rate.value_or(0));
  if (rates.size() > TrafficHistory::kMaxRates) rates.pop_front();
}

TrafficChange change_between(const ServerCounters& before, const ServerCounters& after, double seconds) {
  TrafficChange change;
  change.seconds = seconds;
  change.prompt_rate = divided(growth(before.prompt_tokens, after.prompt_tokens), seconds);
  change.cached_rate = divided(growth(before.cached_tokens, after.cached_tokens), seconds);
  change.generated_rate = divided(growth(before.generated_tokens, after.generated_tokens), seconds);
  const auto hits = growth(before.expert_hits, after.expert_hits);
  const auto misses = growth(before.expert_misses, after.expert_misses);
  change.expert_hit_share = divided(hits, hits.value_or(0) + misses.value_or(0));
  change.expert_byte_rate = divided(growth(before.expert_bytes, after.expert_bytes), seconds);
  change.expert_wait_share = divided(growth(before.expert_wait, after.expert_wait), seconds);
  change.first_token = latency(before.first_token, after.first_token);
  change.per_token = latency(before.per_token, after.per_token);
  for (const auto& [status, n] : after.replies) {
    const auto earlier = before.replies.find(status);
    const double grown = growth(earlier == before.replies.end() ? 0 : earlier->second, n);
    change.reply_rates[status] = seconds > 0 ? grown / seconds : 0;
  }
  return change;
}

}  // namespace

ServerCounters ServerCounters::of(std::span<const Sample> samples) {
  ServerCounters counters;
  counters.model = model_of(samples);
  for (const NumberRow& row : kNumbers)
    for (const std::string_view name : row.names)
      if (const auto value = sum_of(samples, name); value && !(counters.*row.field)) counters.*row.field = value;
  for (const HistogramRow& row : kHistograms)
    for (const std::string_view name : row.names)
      if (!(counters.*row.field)) counters.*row.field = histogram_of(samples, name);
  count_replies(samples, counters.replies);
  return counters;
}

bool ServerCounters::is_empty() const {
  return model.empty() && replies.empty() && !first_token && !per_token &&
         std::ranges::none_of(kNumbers, [&](const NumberRow& row) {
           return row.field != &ServerCounters::memory && (this->*row.field).has_value();
         });
}

Latency latency_between(const HistogramCounts& before, const HistogramCounts& after) {
  const bool was_reset = after.count < before.count;
  HistogramCounts grown = after;
  const auto is_same_bound = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (!was_reset && std::ranges::equal(before.buckets, after.buckets, is_same_bound)) {
    for (size_t idx = 0; idx < grown.buckets.size(); ++idx) grown.buckets[idx].second -= before.buckets[idx].second;
    grown.sum -= before.sum;
    grown.count -= before.count;
  }
  // Counts that fall are not a histogram's; they are raised to the count before them.
  double min = 0;
  for (auto& [bound, count] : grown.buckets) min = count = std::max(count, min);
  if (grown.buckets.empty() || !std::isfinite(grown.buckets.back().second) || !(grown.buckets.back().second > 0) ||
      !(grown.count > 0))
    return {};
  return {.n = grown.count,
          .mean = grown.sum / grown.count,
          .p50 = quantile(grown.buckets, 0.5),
          .p90 = quantile(grown.buckets, 0.9)};
}

void TrafficHistory::add(Clock::time_point when, ServerCounters counters) {
  if (!snapshots_.empty()) {
    const Snapshot& last = snapshots_.back();
    const double seconds = std::chrono::duration<double>(when - last.when).count();
    const TrafficChange change = change_between(last.counters, counters, seconds);
    remember(prompt_rates_, change.prompt_rate);
    remember(generated_rates_, change.generated_rate);
  }
  snapshots_.push_back({when, std::move(counters)});
  // One that is older than that stays, so that differences reach all the way.
  while (snapshots_.size() > 2 && snapshots_[1].when + kLongest <= when) snapshots_.pop_front();
}

void TrafficHistory::forget() { snapshots_.clear(); }

TrafficChange TrafficHistory::change(std::chrono::duration<double> back) const {
  if (snapshots_.size() < 2) return {};
  const Snapshot& last = snapshots_.back();
  size_t first = snapshots_.size() - 2;
  while (first > 0 && last.when - snapshots_[first].when < back) --first;
  const double seconds = std::chrono::duration<double>(last.when - snapshots_[first].when).count();
  return change_between(snapshots_[first].counters, last.counters, seconds);
}

}  // namespace ogas::client
