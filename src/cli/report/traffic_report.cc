#include "cli/report/traffic_report.h"

#include <algorithm>
#include <cmath>

#include "base/memory.h"
#include "cli/terminal/terminal.h"

namespace ogas::cli {
namespace {

using client::Latency;
using client::ServerCounters;
using client::TrafficChange;
using client::TrafficHistory;
using Json = nlohmann::ordered_json;

constexpr size_t kLabelColumns = 13;

// Hostile numbers stay numbers.
uint64_t bytes_of(double value) { return static_cast<uint64_t>(std::clamp(value, 0.0, 9e18)); }
std::string size_text(double value) { return format_bytes(bytes_of(value)); }

std::string rate_text(double value) { return fmt::format("{:.{}f}", value, value < 100 ? 1 : 0); }

std::string seconds_text(double value) {
  if (value < 0.1) return fmt::format("{:.3g} ms", value * 1e3);
  return fmt::format("{:.3g} s", value);
}

// Words with " · " between them.
class Words {
 public:
  void add(const std::string& word) { text_ += (text_.empty() ? "" : " · ") + word; }
  // "3 running", "1 connection", "2 connections"
  void add(const std::optional<double>& number, std::string_view what) {
    if (number) add(fmt::format("{:.0f} {}{}", *number, what, *number == 1 || what.ends_with("ing") ? "" : "s"));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class Lines {
 public:
  Lines(int n_columns, bool with_history)
      : n_columns_(static_cast<size_t>(std::max(n_columns, 20))), with_history_(with_history) {}

  void add(std::string_view label, const std::string& text) {
    if (!text.empty()) lines_.push_back(style_stdout(Style::dim, fmt::format("{:<{}}", label, kLabelColumns)) + text);
  }
  void add_tokens(std::string_view label, const std::optional<double>& rate, std::string note,
                  const std::deque<double>& history);
  void add_latency(std::string_view label, const std::optional<Latency>& latency);
  void add_bar(std::string_view label, double share, double light_share, const std::string& text);
  std::vector<std::string> take() && { return std::move(lines_); }

 private:
  size_t n_columns_;
  bool with_history_;
  std::vector<std::string> lines_;
};

void Lines::add_tokens(std::string_view label, const std::optional<double>& rate, std::string note,
                       const std::deque<double>& history) {
  if (!rate) return;
  constexpr size_t kTextColumns = 40;
  std::string text = fmt::format("{:>7} tok/s{}", rate_text(*rate), note);
  if (with_history_ && n_columns_ > kLabelColumns + kTextColumns)
    text = fmt::format("{:<{}}", text, kTextColumns) +
           style_stdout(Style::prompt, sparkline(history, n_columns_ - kLabelColumns - kTextColumns));
  add(label, text);
}

void Lines::add_latency(std::string_view label, const std::optional<Latency>& latency) {
  if (!latency) return;
  if (latency->n == 0) return add(label, "no answer in the last minute");
  add(label, fmt::format("mean {} · p50 {} · p90 {} ({:.0f} in the last minute)", seconds_text(latency->mean),
                         seconds_text(latency->p50), seconds_text(latency->p90), latency->n));
}

// A bar whose last part, light_share of the whole, is drawn lighter.
void Lines::add_bar(std::string_view label, double share, double light_share, const std::string& text) {
  const size_t n_bar = std::clamp<size_t>(n_columns_ / 4, 8, 40);
  const auto cells = [&](double part) {
    return static_cast<size_t>(
        std::lround(std::clamp(std::isfinite(part) ? part : 0, 0.0, 1.0) * static_cast<double>(n_bar)));
  };
  const size_t n_all = cells(share), n_full = std::min(n_all, cells(share - light_share));
  std::string full, light, rest;
  for (size_t idx = 0; idx < n_bar; ++idx)
    (idx < n_full ? full : idx < n_all ? light : rest) += idx < n_full ? "█" : idx < n_all ? "▒" : "·";
  add(label, style_stdout(Style::prompt, full + light) + style_stdout(Style::dim, rest) + " " + text);
}

void add_kv(Lines& lines, const ServerCounters& now) {
  if (now.kv_used && now.kv_budget && *now.kv_budget > 0) {
    const double cached = now.kv_cached.value_or(0);
    lines.add_bar("KV memory", *now.kv_used / *now.kv_budget, cached / *now.kv_budget,
                  fmt::format("{} in use, {} remembered, of {}", size_text(*now.kv_used - cached), size_text(cached),
                              size_text(*now.kv_budget)));
  } else if (now.kv_share) {
    lines.add_bar("KV memory", *now.kv_share, 0, fmt::format("{:.0f}%", *now.kv_share * 100));
  }
}

std::string experts_text(const TrafficChange& change) {
  Words words;
  if (change.expert_hit_share) words.add(fmt::format("{:.1f}% found in memory", *change.expert_hit_share * 100));
  if (change.expert_byte_rate) words.add(fmt::format("{}/s from disk", size_text(*change.expert_byte_rate)));
  if (change.expert_wait_share) words.add(fmt::format("{:.0f}% of the time waiting", *change.expert_wait_share * 100));
  return words.text();
}

std::string replies_text(const ServerCounters& now, const TrafficChange& change) {
  Words words;
  for (const auto& [status, n] : now.replies) {
    const auto rate = change.reply_rates.find(status);
    std::string text = fmt::format("{}: {:.0f}", printable_line(status), n);
    if (rate != change.reply_rates.end() && rate->second > 0) text += fmt::format(" ({:.1f}/s)", rate->second);
    words.add(status.starts_with('5') ? style_stdout(Style::error, text) : text);
  }
  return words.text();
}

Json or_null(const std::optional<double>& value) { return value && std::isfinite(*value) ? Json(*value) : Json(); }

Json latency_json(const std::optional<Latency>& latency) {
  if (!latency) return {};
  const bool any = latency->n > 0;
  const auto seconds = [&](double value) { return any ? or_null(value) : Json(); };
  return {{"count", latency->n},
          {"mean_seconds", seconds(latency->mean)},
          {"p50_seconds", seconds(latency->p50)},
          {"p90_seconds", seconds(latency->p90)}};
}

Json replies_json(const ServerCounters& now) {
  Json replies = Json::object();
  for (const auto& [status, n] : now.replies) replies[status] = n;
  return replies;
}

}  // namespace

std::string sparkline(const std::deque<double>& values, size_t n_columns, double max, bool is_ascii) {
  static constexpr std::string_view kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr std::string_view kSigns = ".:-=+*#@";
  const size_t n = std::min(values.size(), n_columns);
  const auto begin = values.end() - static_cast<ptrdiff_t>(n);
  if (max <= 0 && n > 0) max = *std::max_element(begin, values.end());
  std::string text;
  for (auto value = begin; value != values.end(); ++value) {
    const double share = max > 0 && std::isfinite(max) ? std::clamp(*value / max, 0.0, 1.0) : 0;
    const auto level = static_cast<size_t>(std::lround(share * 7));
    text += *value <= 0 ? " " : is_ascii ? kSigns.substr(level, 1) : kBlocks[level];
  }
  return text;
}

std::vector<std::string> load_lines(const TrafficHistory& history, int n_columns, bool with_history) {
  const ServerCounters& now = history.now();
  const TrafficChange recent = history.change(kRateTime), minute = history.change(TrafficHistory::kLongest);
  Lines lines(n_columns, with_history);
  lines.add("model", printable_line(now.model));
  Words requests;
  requests.add(now.running, "running");
  requests.add(now.waiting, "waiting");
  requests.add(now.connections, "connection");
  if (now.pauses.value_or(0) > 0) requests.add(now.pauses, "pause");
  lines.add("requests", requests.text());
  const bool remembers = recent.cached_rate.value_or(0) > 0;
  lines.add_tokens("prompts", recent.prompt_rate,
                   remembers ? fmt::format(" ({} remembered)", rate_text(*recent.cached_rate)) : "",
                   history.prompt_rates());
  lines.add_tokens("generated", recent.generated_rate, "", history.generated_rates());
  lines.add_latency("first token", minute.first_token);
  lines.add_latency("per token", minute.per_token);
  add_kv(lines, now);
  if (now.memory) lines.add("memory", size_text(*now.memory));
  lines.add("experts", experts_text(recent));
  lines.add("replies", replies_text(now, recent));
  return std::move(lines).take();
}

Json load_json(const TrafficHistory& history, std::string_view url) {
  const ServerCounters& now = history.now();
  const TrafficChange change = history.change(TrafficHistory::kLongest);
  return {{"url", url},
          {"model", now.model},
          {"seconds", change.seconds},
          {"requests_running", or_null(now.running)},
          {"requests_waiting", or_null(now.waiting)},
          {"connections", or_null(now.connections)},
          {"prompt_tokens", or_null(now.prompt_tokens)},
          {"generated_tokens", or_null(now.generated_tokens)},
          {"prompt_tokens_per_second", or_null(change.prompt_rate)},
          {"cached_tokens_per_second", or_null(change.cached_rate)},
          {"generated_tokens_per_second", or_null(change.generated_rate)},
          {"first_token", latency_json(change.first_token)},
          {"per_token", latency_json(change.per_token)},
          {"kv_bytes_used", or_null(now.kv_used)},
          {"kv_bytes_cached", or_null(now.kv_cached)},
          {"kv_bytes_budget", or_null(now.kv_budget)},
          {"kv_share", or_null(now.kv_share)},
          {"memory_bytes", or_null(now.memory)},
          {"expert_hit_share", or_null(change.expert_hit_share)},
          {"expert_bytes_per_second", or_null(change.expert_byte_rate)},
          {"expert_wait_share", or_null(change.expert_wait_share)},
          {"replies", replies_json(now)}};
}

}  // namespace ogas::cli
