#include "base/version.h"

#include "generated_version.h"

namespace ogas {

std::string_view version() { return OGAS_VERSION; }
std::string_view commit() { return OGAS_COMMIT; }

}  // namespace ogas
