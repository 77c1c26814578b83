#include "cli/report/experts_report.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>

#include "base/memory.h"
#include "cli/report/traffic_report.h"
#include "cli/terminal/terminal.h"

namespace ogas::cli {

namespace {

// stats: of these seconds.
std::string describe_experts(const ExpertStats& stats, double seconds) {
  const auto share = [](auto part, auto whole) {
    return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
  };
  const auto n_bytes = static_cast<double>(stats.n_bytes);
  const double a_token = n_bytes / std::max(1.0, static_cast<double>(stats.n_tokens));
  const double rate = stats.busy_seconds > 0 ? n_bytes / stats.busy_seconds : 0;
  return fmt::format(
      "experts: {:.0f}% in memory ({}), {:.0f}% of uses found there; {} a token from disk at {}/s; waiting for it "
      "{:.0f}% of the time",
      share(stats.n_slots, stats.n_experts), format_bytes(stats.memory_bytes), share(stats.n_hits, stats.n_uses),
      format_bytes(static_cast<uint64_t>(a_token)), format_bytes(static_cast<uint64_t>(rate)),
      share(stats.wait_seconds, seconds));
}

}  // namespace

nlohmann::ordered_json experts_json(const ExpertStats& stats) {
  return {{"in_memory", stats.n_slots},
          {"of", stats.n_experts},
          {"memory_bytes", stats.memory_bytes},
          {"tokens", stats.n_tokens},
          {"uses", stats.n_uses},
          {"hits", stats.n_hits},
          {"ahead", stats.n_prefetched},
          {"ahead_right", stats.n_prefetch_hits},
          {"bytes_read", stats.n_bytes},
          {"reading_s", stats.busy_seconds},
          {"waiting_s", stats.wait_seconds},
          {"packing_s", stats.pack_seconds}};
}

std::vector<std::string> ExpertsChart::lines(bool is_ascii) const {
  constexpr size_t kColumns = 40, kMinTokens = 8;
  if (points_.size() <= kMinTokens) return {};
  // The first token came with the prompt. A column is a token, or the mean of several.
  const size_t n_tokens = points_.size() - 1, n = std::min(n_tokens, kColumns);
  std::deque<double> rates, computing, waiting, megabytes;
  double max = 0;
  for (size_t column = 0; column < n; ++column) {
    const Point &from = points_[column * n_tokens / n], &to = points_[(column + 1) * n_tokens / n];
    const auto n_here = static_cast<double>(&to - &from);
    const double seconds = std::max(to.seconds - from.seconds, 1e-9);
    const double waited = std::clamp(to.stats.wait_seconds - from.stats.wait_seconds, 0.0, seconds);
    rates.push_back(n_here / seconds);
    computing.push_back((seconds - waited) / n_here * 1e3);
    waiting.push_back(waited / n_here * 1e3);
    megabytes.push_back(static_cast<double>(to.stats.n_bytes - from.stats.n_bytes) / n_here / 1e6);
    max = std::max({max, computing.back(), waiting.back()});
  }
  const auto line = [&](std::string_view label, const std::deque<double>& values, double full, std::string_view unit) {
    const auto [min, largest] = std::ranges::minmax(values);
    const auto number = [](double value) { return fmt::format("{:.{}f}", value, value < 100 ? 1 : 0); };
    return fmt::format("{:<10} {} {} to {} {}", label, sparkline(values, kColumns, full, is_ascii), number(min),
                       number(largest), unit);
  };
  return {line("speed", rates, 0, "tok/s"), line("computing", computing, max, "ms a token"),
          line("waiting", waiting, max, "ms a token"), line("from disk", megabytes, 0, "MB a token")};
}

ExpertsReport::ExpertsReport(const Engine& engine, Request& request) : engine_(engine), before_(expert_stats(engine)) {
  if (!before_ || !stderr_is_terminal()) return;
  request.on_token = [this](TokenId, const Logprobs*) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    chart_.add(std::chrono::duration<double>(now).count(), *expert_stats(engine_));
  };
}

std::vector<std::string> ExpertsReport::lines(double seconds) const {
  if (!before_) return {};
  std::vector<std::string> lines = {describe_experts(expert_stats(engine_)->since(*before_), seconds)};
  std::ranges::move(chart_.lines(!shows_unicode()), std::back_inserter(lines));
  return lines;
}

}  // namespace ogas::cli
