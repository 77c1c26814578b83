#include "cli/experts_report.h"

#include <algorithm>

#include "base/memory.h"

namespace ogas::cli {

std::string describe_experts(const ExpertStore& experts, double seconds) {
  const ExpertStore::Stats stats = experts.stats();
  const auto share = [](double part, double whole) { return whole > 0 ? 100 * part / whole : 0; };
  const auto n_uses = static_cast<double>(stats.n_uses), n_bytes = static_cast<double>(stats.n_bytes);
  const double a_token = n_bytes / std::max<double>(1, static_cast<double>(stats.n_tokens));
  const double rate = stats.busy_seconds > 0 ? n_bytes / stats.busy_seconds : 0;
  return fmt::format(
      "experts: {:.0f}% in memory ({}), {:.0f}% of uses found there; {} a token from disk at {}/s; waiting for it "
      "{:.0f}% "
      "of the time",
      share(static_cast<double>(experts.n_places()), static_cast<double>(experts.n_experts())),
      format_bytes(experts.n_bytes()), share(static_cast<double>(stats.n_hits), n_uses),
      format_bytes(static_cast<uint64_t>(a_token)), format_bytes(static_cast<uint64_t>(rate)),
      share(stats.wait_seconds, seconds));
}

nlohmann::ordered_json experts_json(const ExpertStore& experts) {
  const ExpertStore::Stats stats = experts.stats();
  return {{"in_memory", experts.n_places()},
          {"of", experts.n_experts()},
          {"memory_bytes", experts.n_bytes()},
          {"tokens", stats.n_tokens},
          {"uses", stats.n_uses},
          {"hits", stats.n_hits},
          {"ahead", stats.n_ahead},
          {"ahead_right", stats.n_ahead_right},
          {"bytes_read", stats.n_bytes},
          {"reading_s", stats.busy_seconds},
          {"waiting_s", stats.wait_seconds},
          {"packing_s", stats.pack_seconds}};
}

}  // namespace ogas::cli
