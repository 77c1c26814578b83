// ogas_stats and the figures of an answer.
#pragma once

#include <ogas/ogas.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "engine/request.h"

namespace ogas::capi {

// A field that a row of answer_figures() describes.
struct StatsField {
  std::string_view name;
  std::variant<uint32_t ogas_stats::*, uint64_t ogas_stats::*, double ogas_stats::*> field;
};
std::span<const StatsField> stats_fields();

// Without the size and why the answer ended.
ogas_stats stats_of(const AnswerStats& stats);

}  // namespace ogas::capi
