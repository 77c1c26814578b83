#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>

namespace ogas {

void start_log() {
  auto logger = spdlog::stderr_color_mt("ogas");
  logger->set_pattern("%^ogas: %l:%$ %v");
  const char* level = std::getenv("OGAS_LOG");
  logger->set_level(level ? spdlog::level::from_str(level) : spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace ogas
