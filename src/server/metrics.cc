#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/answer_figures.h"

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

Metrics::Metrics() : sums_(answer_figures().size()), histograms_(answer_figures().size()) {}

void Metrics::count_reply(std::string_view path, unsigned status) {
  const std::lock_guard lock(mutex_);
  ++replies_[{std::string(path), status}];
}

void Metrics::count_answer(const AnswerStats& stats, FinishReason finish) {
  const std::lock_guard lock(mutex_);
  ++finishes_[name_of(finish)];
  for (size_t idx = 0; idx < answer_figures().size(); ++idx) {
    const AnswerFigure& figure = answer_figures()[idx];
    if (figure.metric_kind == AnswerFigure::Metric::counter)
      sums_[idx] += figure.value(stats);
    else if (figure.metric_kind == AnswerFigure::Metric::histogram && stats.n_generated >= figure.min_generated)
      histograms_[idx].add(figure.value(stats));
  }
}

void Metrics::print_answers(std::string& out) const {
  for (size_t idx = 0; idx < answer_figures().size(); ++idx) {
    const AnswerFigure& figure = answer_figures()[idx];
    if (figure.metric_kind == AnswerFigure::Metric::histogram) histograms_[idx].print(figure.metric, figure.help, out);
    if (figure.metric_kind != AnswerFigure::Metric::counter) continue;
    print_head(figure.metric, figure.help, "counter", out);
    // Tokens are counted as they are drawn, before their answers end.
    const double sum =
        figure.name == "n_generated" ? static_cast<double>(n_generated_.load(std::memory_order_relaxed)) : sums_[idx];
    fmt::format_to(std::back_inserter(out), "{} {}\n", figure.metric, sum);
  }
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
  print_head("ogas_answers_total", "Answers by how they ended", "counter", out);
  for (const auto& [finish, n] : finishes_)
    fmt::format_to(std::back_inserter(out), "ogas_answers_total{{finish=\"{}\"}} {}\n", finish, n);
  print_head("ogas_http_replies_total", "Replies by endpoint and status", "counter", out);
  for (const auto& [key, n] : replies_)
    fmt::format_to(std::back_inserter(out), "ogas_http_replies_total{{path=\"{}\",status=\"{}\"}} {}\n",
                   escaped(key.first), key.second, n);
  print_answers(out);
  return out;
}

}  // namespace ogas::server
