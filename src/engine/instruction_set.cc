#include "engine/instruction_set.h"

#include "kernels/dispatch.h"

namespace ogas {

Result<std::string_view> instruction_set() { return OGAS_TRY(choose_kernels())->name; }

}  // namespace ogas
