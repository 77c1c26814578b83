// Prometheus' text format, version 0.0.4, as servers write their metrics.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ogas::client {

struct Sample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;  // in the order of the line, escapes resolved
  double value = 0;                                         // may be infinite or NaN

  // Empty where there is none of that name.
  std::string_view label(std::string_view label_name) const;
};

// Timestamps and, as OpenMetrics has them, exemplars are read over; comments of all kinds, too. Errors: io, with the
// line's number and what is wrong with it.
Result<std::vector<Sample>> parse_prometheus(std::string_view text);

}  // namespace ogas::client
