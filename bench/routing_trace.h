// Which experts a model's tokens took, as tools/record_routing.py wrote it down; its head describes the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogas {

using RoutedToken = std::vector<uint32_t>;  // the experts it took in a layer
using LayerTrace = std::vector<RoutedToken>;

struct RoutingTrace {
  uint32_t n_expert = 0, n_used = 0;
  std::vector<LayerTrace> layers;   // of as many tokens each
  std::vector<size_t> text_begins;  // tokens that have none of their text before them
};

// name: of the file, for messages. Errors: bad_file, unsupported (another version).
Result<RoutingTrace> parse_routing_trace(std::string_view text, std::string_view name);

}  // namespace ogas
