#include "cli/terminal/terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/ascii.h"
#include "base/unicode.h"
#include "cli/terminal/exit_code.h"

namespace ogas::cli {
namespace {

bool colours_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return !(no_color && *no_color) && !(term && std::string_view(term) == "dumb");
}

std::string styled(Style style, std::string_view text, bool is_terminal) {
  if (!is_terminal || !colours_wanted()) return std::string(text);
  const char* code = style == Style::dim ? "2" : style == Style::bold ? "1" : style == Style::error ? "1;31" : "1;36";
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

// False leaves the reason in errno. A pipe that someone made non-blocking is waited for.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd writable = {fd, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool shows_unicode() {
  const char* term = std::getenv("TERM");
  if (term && std::string_view(term) == "dumb") return false;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {  // the first that is set counts
    const char* value = std::getenv(name);
    if (!value || !*value) continue;
    const std::string locale = lower_ascii(value);
    return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  }
  return false;
}

std::string style_stderr(Style style, std::string_view text) { return styled(style, text, stderr_is_terminal()); }
std::string style_stdout(Style style, std::string_view text) { return styled(style, text, stdout_is_terminal()); }

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    const bool is_control = step.code_point < 0x20 || (step.code_point >= 0x7F && step.code_point < 0xA0);
    const bool is_layout = step.code_point == '\n' || step.code_point == '\t';
    if (step.kind != Utf8Kind::valid || (is_control && !is_layout))
      result += kReplacement;
    else
      result += text.substr(0, step.length);
    text.remove_prefix(step.length);
  }
  return result;
}

std::string printable_line(std::string_view text) {
  std::string line = printable(text);
  std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

void write_stdout(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) ::_exit(128 + 13);
  write_stderr(
      fmt::format("ogas: {} cannot write to stdout: {}\n", style_stderr(Style::error, "error:"), std::strerror(errno)));
  std::exit(kFailure);
}

void write_foreign(std::string_view text) {
  if (stdout_is_terminal())
    write_stdout(printable(text));
  else
    write_stdout(text);
}

void write_json(const nlohmann::ordered_json& json, int indent) {
  const auto invalid = nlohmann::ordered_json::error_handler_t::replace;
  write_stdout(json.dump(indent, ' ', /*ensure_ascii=*/stdout_is_terminal(), invalid) + "\n");
}

void write_stderr(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

void ProgressBar::update(double share) {
  constexpr auto kMoment = std::chrono::milliseconds(300);
  constexpr int kWidth = 30;
  if (!stderr_is_terminal() || std::chrono::steady_clock::now() - start_ < kMoment) return;
  const int percent = static_cast<int>(share * 100);
  if (percent == shown_percent_) return;
  shown_percent_ = percent;
  const int filled = percent * kWidth / 100;
  std::string bar;
  for (int idx = 0; idx < kWidth; ++idx) bar += idx < filled ? "━" : " ";
  write_stderr(fmt::format("\r{} {} {:3}%", printable_line(label_), style_stderr(Style::prompt, bar), percent));
}

void ProgressBar::clear() {
  if (shown_percent_ < 0) return;
  write_stderr("\r\033[K");
  shown_percent_ = -1;
}

}  // namespace ogas::cli
