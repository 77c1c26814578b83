// The experts that a model's tokens used, as tools/record_routing.py recorded them; its head describes the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogas {

using RoutedToken = std::vector<uint32_t>;  // the experts it used in a layer
using LayerTrace = std::vector<RoutedToken>;

struct RoutingTrace {
  uint32_t n_expert = 0, n_used = 0;
  std::vector<LayerTrace> layers;   // all with the same number of tokens
  std::vector<size_t> text_begins;  // the first token of each text
};

// name: of the file, for messages. Errors: bad_file, unsupported (another version).
Result<RoutingTrace> parse_routing_trace(std::string_view text, std::string_view name);

}  // namespace ogas
