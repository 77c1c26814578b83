#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace ogas::server {
namespace {

void print_head(std::string_view name, std::string_view help, std::string_view type, std::string& out) {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

// As label values are written.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n') {
      result += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

void Histogram::add(double seconds) {
  const auto bucket = std::ranges::lower_bound(kBounds, seconds) - kBounds.begin();
  ++counts_[static_cast<size_t>(bucket)];
  sum_ += seconds;
}

void Histogram::print(std::string_view name, std::string_view help, std::string& out) const {
  print_head(name, help, "histogram", out);
  uint64_t n = 0;
  for (size_t idx = 0; idx < kBounds.size(); ++idx)
    fmt::format_to(std::back_inserter(out), "{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[idx], n += counts_[idx]);
  n += counts_.back();
  fmt::format_to(std::back_inserter(out), "{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name, n, name, sum_,
                 name, n);
}

void Metrics::count_reply(std::string_view path, unsigned status) {
  const std::lock_guard lock(mutex_);
  ++replies_[{std::string(path), status}];
}

void Metrics::count_answer(const AnswerStats& stats, FinishReason finish) {
  const std::lock_guard lock(mutex_);
  ++finishes_[name_of(finish)];
  n_prompt_ += stats.n_prompt;
  n_cached_ += stats.n_cached;
  whole_.add(stats.prefill_seconds + stats.decode_seconds);
  if (stats.n_generated == 0) return;
  first_token_.add(stats.first_token_seconds);
  if (stats.n_generated > 1) per_token_.add(stats.decode_seconds / (stats.n_generated - 1));
}

std::string Metrics::prometheus(std::string_view model, const Now& now) const {
  std::string out;
  const auto value = [&](std::string_view name, std::string_view help, std::string_view type, auto number) {
    print_head(name, help, type, out);
    fmt::format_to(std::back_inserter(out), "{} {}\n", name, number);
  };
  print_head("ogas_info", "The model that is served", "gauge", out);
  fmt::format_to(std::back_inserter(out), "ogas_info{{model=\"{}\"}} 1\n", escaped(model));
  value("ogas_requests_running", "Requests that are computed", "gauge", now.n_running);
  value("ogas_requests_waiting", "Requests that wait for their turn", "gauge", now.n_waiting);
  value("ogas_connections", "Connections of clients", "gauge", now.n_connections);
  value("ogas_pauses_total", "Times a request gave up its pages for others", "counter", now.n_preemptions);
  value("ogas_kv_bytes_used", "Bytes of the KV cache used by requests and cached prefixes", "gauge", now.kv_bytes_used);
  value("ogas_kv_bytes_cached", "Bytes of the KV cache used only by cached prefixes", "gauge", now.kv_bytes_cached);
  value("ogas_kv_bytes_budget", "Maximum size of the KV cache in bytes", "gauge", now.kv_bytes_budget);
  value("process_resident_memory_bytes", "Memory of the process", "gauge", now.memory_bytes);
  if (now.reads_experts) {
    value("ogas_expert_hits_total", "Experts found in memory", "counter", now.expert_hits);
    value("ogas_expert_misses_total", "Experts read from disk", "counter", now.expert_misses);
    value("ogas_expert_bytes_read_total", "Bytes of experts read from disk", "counter", now.expert_bytes_read);
    value("ogas_expert_wait_seconds_total", "Time spent waiting for the disk", "counter", now.expert_wait_seconds);
  }
  const std::lock_guard lock(mutex_);
  value("ogas_prompt_tokens_total", "Tokens of prompts", "counter", n_prompt_);
  value("ogas_prompt_tokens_cached_total", "Of these, tokens that were remembered", "counter", n_cached_);
  value("ogas_generated_tokens_total", "Tokens generated", "counter", n_generated_.load(std::memory_order_relaxed));
  print_head("ogas_answers_total", "Answers by how they ended", "counter", out);
  for (const auto& [finish, n] : finishes_)
    fmt::format_to(std::back_inserter(out), "ogas_answers_total{{finish=\"{}\"}} {}\n", finish, n);
  print_head("ogas_http_replies_total", "Replies by endpoint and status", "counter", out);
  for (const auto& [key, n] : replies_)
    fmt::format_to(std::back_inserter(out), "ogas_http_replies_total{{path=\"{}\",status=\"{}\"}} {}\n",
                   escaped(key.first), key.second, n);
  first_token_.print("ogas_first_token_seconds", "From a request's submission to its first token", out);
  per_token_.print("ogas_time_per_token_seconds", "Mean time between tokens of an answer", out);
  whole_.print("ogas_answer_seconds", "From a request's submission to the end of its answer", out);
  return out;
}

}  // namespace ogas::server
