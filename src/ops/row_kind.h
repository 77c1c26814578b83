// What a row of a batch is.
#pragma once

#include <cstdint>

namespace ogas {

// Whether a row's token was given or came from the model. Some operations have two ways to nearly the same numbers, one
// that is best for the many rows of a prompt and one for the few that are generated (mla.h; CpuKernels::tile_rows).
// Which one a row takes is its own nature: its bits must depend neither on what else is in the batch nor on how a
// prompt was cut.
enum class RowKind : uint8_t { prefill, decode };

}  // namespace ogas
