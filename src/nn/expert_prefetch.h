#pragma once

#include <cstdint>

namespace ogas {

// Whether experts are read that the next layer is only expected to take.
enum class ExpertPrefetch : uint8_t { automatic, on, off };

}  // namespace ogas
