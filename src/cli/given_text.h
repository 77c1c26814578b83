// Texts that a command works on as they are: arguments, files, stdin.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ogas::cli {

// A file's text; "-" is stdin. Errors: as read_file.
Result<std::string> read_text(const std::string& file);

// Its lines, without what ends them.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace ogas::cli
