// Texts that a command works on as they are: arguments, files, stdin.
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

// The text on stdin beside a prompt that was given otherwise: that of a file, from its beginning on (who reads lines
// in a loop has left it further on, and needs the rest), or of a pipe or socket. Nothing of a terminal or device. A
// pipe may be one that the program was started with and nobody writes into (ssh, cron, services, test harnesses): where
// nothing comes for kWaitForStdin, it is left aside, and a line on stderr says so.
std::string read_stdin_beside();
inline constexpr std::chrono::seconds kWaitForStdin{10};

// Whether there is text on stdin by now, by the same rules.
bool has_text_on_stdin();
// Says on stderr that it was not read, if there is; `text` is what was.
void warn_of_unread_stdin(std::string_view text);

// Its lines, without what ends them.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace ogas::cli
