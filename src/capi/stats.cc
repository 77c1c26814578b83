#include "capi/stats.h"

#include <algorithm>
#include <type_traits>

#include "engine/answer_figures.h"

namespace ogas::capi {
namespace {

#define OGAS_FIELD(name) \
  StatsField { #name, &ogas_stats::name }
constexpr StatsField kStatsFields[] = {
    OGAS_FIELD(n_prompt),        OGAS_FIELD(n_cached),
    OGAS_FIELD(n_generated),     OGAS_FIELD(first_token_seconds),
    OGAS_FIELD(prefill_seconds), OGAS_FIELD(decode_seconds),
    OGAS_FIELD(compute_seconds), OGAS_FIELD(n_computed),
};
#undef OGAS_FIELD

}  // namespace

std::span<const StatsField> stats_fields() { return kStatsFields; }

ogas_stats stats_of(const AnswerStats& stats) {
  ogas_stats fields{};
  for (const AnswerFigure& figure : answer_figures()) {
    const auto* found = std::ranges::find(kStatsFields, figure.name, &StatsField::name);
    if (found == std::end(kStatsFields)) continue;
    std::visit(
        [&](auto field) {
          using Number = std::remove_reference_t<decltype(fields.*field)>;
          fields.*field = static_cast<Number>(figure.value(stats));
        },
        found->field);
  }
  return fields;
}

}  // namespace ogas::capi
