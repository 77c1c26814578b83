// Diagnostics for the person debugging, on stderr, silent unless asked: OGAS_LOG=debug|info|warn|error.
#pragma once

#include <spdlog/spdlog.h>

namespace ogas {

// Call once at start of a program. Without OGAS_LOG only warnings and errors show.
void start_log();

}  // namespace ogas
