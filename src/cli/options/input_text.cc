#include "cli/options/input_text.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <iterator>

#include "base/file.h"
#include "cli/terminal/terminal.h"

namespace ogas::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSilence{1};  // before a word about it

std::string rest_of_stdin() { return {std::istreambuf_iterator<char>(std::cin), {}}; }

// Whether something can be read of stdin by then, its end included.
bool comes_until(Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wanted{STDIN_FILENO, POLLIN, 0};
    const int n = ::poll(&wanted, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (n > 0) return true;
    if (n == 0 && left <= 0) return false;
    if (n < 0 && errno != EINTR) return true;  // reading says what is wrong
  }
}

enum class Stdin : uint8_t { file, pipe, other };

// What stdin is for those who have another text already.
Stdin kind_of_stdin() {
  struct stat status = {};
  if (::fstat(STDIN_FILENO, &status) != 0) return Stdin::other;
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) return Stdin::pipe;
  const bool is_whole_file = S_ISREG(status.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0;
  return is_whole_file ? Stdin::file : Stdin::other;
}

}  // namespace

std::string read_stdin() {
  if (!stdin_is_terminal() && !comes_until(Clock::now() + kSilence)) write_stderr("ogas: waiting for text on stdin\n");
  return rest_of_stdin();
}

std::string read_extra_stdin() {
  const Stdin kind = kind_of_stdin();
  if (kind == Stdin::other) return {};
  const auto begin = Clock::now();
  if (kind == Stdin::pipe && !comes_until(begin + kSilence)) {
    write_stderr("ogas: waiting for text on stdin to put before the prompt; if there is none: < /dev/null\n");
    if (!comes_until(begin + kWaitForStdin)) {
      write_stderr(fmt::format("ogas: nothing came from stdin for {} s; it is left aside\n", kWaitForStdin.count()));
      return {};
    }
  }
  return rest_of_stdin();
}

bool has_text_on_stdin() {
  int n_bytes = 0;
  struct stat status = {};
  switch (kind_of_stdin()) {
    case Stdin::file: return ::fstat(STDIN_FILENO, &status) == 0 && status.st_size > 0;
    case Stdin::pipe: return ::ioctl(STDIN_FILENO, FIONREAD, &n_bytes) == 0 && n_bytes > 0;
    case Stdin::other: break;
  }
  return false;
}

void warn_of_unread_stdin(std::string_view text) {
  if (has_text_on_stdin())
    write_stderr(fmt::format("ogas: there is text on stdin, which was not read: {} was\n", text));
}

Result<std::string> read_text(const std::string& file) {
  if (file == "-") return read_stdin();
  return read_file(file);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    begin = end + 1;
  }
  return lines;
}

}  // namespace ogas::cli
