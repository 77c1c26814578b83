// Input texts of a command, unchanged: from arguments, files and stdin.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogas::cli {

// A file's text; "-" is stdin. Errors: as read_file.
Result<std::string> read_text(const std::string& file);

// All of stdin. Where nothing has come for a second, a line on stderr that stdin is waited for.
std::string read_stdin();

// The text on stdin in addition to a prompt from elsewhere. Reads a pipe, a socket, or a file that is at its beginning
// (a script that reads lines in a loop has left it further on, and needs the rest); never a terminal or device. Nobody
// may ever write into the pipe that the program was started with (ssh, cron, services, test harnesses). So a pipe is
// ignored if nothing arrives for kWaitForStdin, and a line on stderr says so.
std::string read_extra_stdin();
inline constexpr std::chrono::seconds kWaitForStdin{10};

// Whether there is text on stdin by now, by the same rules.
bool has_text_on_stdin();
// Says on stderr that it was not read, if there is; `text` is what was.
void warn_of_unread_stdin(std::string_view text);

// Its lines, without what ends them.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace ogas::cli
