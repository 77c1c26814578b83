#include "cli/terminal/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <iostream>

#include "base/check.h"
#include "base/unicode.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/terminal.h"

namespace ogas::cli {
namespace {

constexpr int kHistoryLines = 1000;
constexpr std::string_view kPasteOn = "\033[?2004h";
constexpr std::string_view kPasteOff = "\033[?2004l";
constexpr std::string_view kPasteEnd = "\033[201~";

// libedit turns what is typed into wide characters by the locale, so that must be some UTF-8.
void use_utf8() {
  const char* set = std::setlocale(LC_CTYPE, "");
  if (!set || std::string_view(::nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::wstring widen(std::string_view text) {
  std::wstring wide;
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    wide += step.kind == Utf8Kind::valid ? static_cast<wchar_t>(step.code_point) : L'\uFFFD';
    text.remove_prefix(step.length);
  }
  return wide;
}

// Of pasted text: line ends as \n, tabs as spaces, and no other control characters.
std::string clean_paste(std::string_view pasted) {
  std::string text;
  for (size_t idx = 0; idx < pasted.size(); ++idx) {
    const char c = pasted[idx];
    const char next = idx + 1 < pasted.size() ? pasted[idx + 1] : '\0';
    if (c == '\r' || c == '\n') {
      text += '\n';
      // libedit has the terminal swap the two, so that \r\n comes as \n\r.
      if (next != c && (next == '\r' || next == '\n')) ++idx;
    } else if (c == '\t') {
      text += "    ";
    } else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) {
      text += c;
    }
  }
  return text;
}

}  // namespace

struct LineEditor::Terminal {
  explicit Terminal(std::filesystem::path path);
  ~Terminal();
  Line read(std::string_view text);
  void remember(const std::string& message);

  // -1 at the end of the input, -2 when interrupted.
  int read_byte();
  // Draws the line again after the terminal changed.
  void follow_terminal();
  static int read_char(EditLine* editor, wchar_t* out);
  static unsigned char paste(EditLine* editor, int);
  static unsigned char new_line(EditLine* editor, int);
  static char* prompt_of(EditLine* editor) { return self(editor).prompt.data(); }
  static Terminal& self(EditLine* editor) {
    void* data = nullptr;
    el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<Terminal*>(data);
  }

  std::filesystem::path history_file;
  EditLine* editor = nullptr;
  History* history = nullptr;
  InterruptsAsInput* interrupts = nullptr;  // while reading
  std::string prompt;
};

LineEditor::Terminal::Terminal(std::filesystem::path path) : history_file(std::move(path)) {
  use_utf8();
  editor = el_init("ogas", stdin, stdout, stderr);
  history = history_init();
  OGAS_CHECK(editor && history, "libedit did not start");
  HistEvent event;
  ::history(history, &event, H_SETSIZE, kHistoryLines);
  ::history(history, &event, H_SETUNIQUE, 1);
  if (!history_file.empty()) ::history(history, &event, H_LOAD, history_file.c_str());

  el_set(editor, EL_CLIENTDATA, this);
  el_set(editor, EL_PROMPT_ESC, &Terminal::prompt_of, '\1');
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_SIGNAL, 0);
  el_set(editor, EL_HIST, &::history, history);
  el_set(editor, EL_GETCFN, &Terminal::read_char);
  el_set(editor, EL_ADDFN, "ogas-paste", "insert pasted text", &Terminal::paste);
  el_set(editor, EL_ADDFN, "ogas-new-line", "begin another line", &Terminal::new_line);
  el_set(editor, EL_BIND, "\\e[200~", "ogas-paste", nullptr);
  el_set(editor, EL_BIND, "\\e\\r", "ogas-new-line", nullptr);
  el_set(editor, EL_BIND, "\\e\\n", "ogas-new-line", nullptr);
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::Terminal::~Terminal() {
  history_end(history);
  el_end(editor);
}

int LineEditor::Terminal::read_byte() {
  for (;;) {
    follow_terminal();
    pollfd wanted[] = {{STDIN_FILENO, POLLIN, 0}, {interrupts->fd(), POLLIN, 0}};
    if (::poll(wanted, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    if (interrupts->take()) return -2;
    unsigned char byte = 0;
    const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
    if (n == 1) return byte;
    if (n == 0 || (errno != EINTR && errno != EAGAIN)) return -1;
  }
}

void LineEditor::Terminal::follow_terminal() {
  if (take_window_changed()) {
    el_resize(editor);
    write_stdout("\r\033[J");  // libedit takes the cursor to be where a line begins
    el_set(editor, EL_REFRESH);
  }
  // After Ctrl-Z the shell has put the terminal back to its own mode.
  if (take_continued()) {
    el_set(editor, EL_PREP_TERM, 1);
    write_stdout(kPasteOn);
    el_set(editor, EL_REFRESH);
  }
}

// libedit's way: 1 and a character, 0 at the end, -1 for an error, which ends the line.
int LineEditor::Terminal::read_char(EditLine* editor, wchar_t* out) {
  Terminal& terminal = self(editor);
  std::string bytes;
  for (;;) {
    const int byte = terminal.read_byte();
    if (byte < 0) {
      errno = byte == -2 ? EINTR : 0;
      return byte == -2 ? -1 : 0;
    }
    bytes += static_cast<char>(byte);
    const Utf8Step step = next_utf8(bytes);
    if (step.kind == Utf8Kind::incomplete) continue;
    *out = step.kind == Utf8Kind::valid ? static_cast<wchar_t>(step.code_point) : L'\uFFFD';
    return 1;
  }
}

unsigned char LineEditor::Terminal::paste(EditLine* editor, int) {
  std::string text;
  while (!text.ends_with(kPasteEnd)) {
    const int byte = self(editor).read_byte();
    if (byte < 0) return CC_ERROR;
    text += static_cast<char>(byte);
  }
  text.resize(text.size() - kPasteEnd.size());
  std::string clean = clean_paste(text);
  while (clean.ends_with('\n')) clean.pop_back();
  el_winsertstr(editor, widen(clean).c_str());
  return CC_REFRESH;
}

unsigned char LineEditor::Terminal::new_line(EditLine* editor, int) {
  el_winsertstr(editor, L"\n");
  return CC_REFRESH;
}

Line LineEditor::Terminal::read(std::string_view text) {
  // Text between two \1 takes no columns, and is written with the letter after it: so the colour has to
  // end before the last letter, a space.
  const bool in_colour = style_stdout(Style::prompt, text) != text;
  prompt = in_colour ? fmt::format("\1\033[1;36m\1{}\1\033[0m\1 ", text.substr(0, text.size() - 1)) : std::string(text);
  InterruptsAsInput as_input;
  interrupts = &as_input;
  // In this order, so that no paste meets the terminal's own line editing.
  el_set(editor, EL_PREP_TERM, 1);
  write_stdout(kPasteOn);
  int n = 0;
  errno = 0;
  const char* line = el_gets(editor, &n);
  const bool was_interrupted = !line && errno == EINTR;
  write_stdout(kPasteOff);
  interrupts = nullptr;
  if (line && n > 0) {
    std::string result(line, static_cast<size_t>(n));
    if (result.ends_with('\n')) result.pop_back();
    return {LineStatus::line, std::move(result)};
  }
  write_stdout("\n");
  if (!was_interrupted) return {LineStatus::end, {}};
  const LineInfo* info = el_line(editor);
  return {LineStatus::interrupted, std::string(info->buffer, info->lastchar)};
}

void LineEditor::Terminal::remember(const std::string& message) {
  HistEvent event;
  ::history(history, &event, H_ENTER, message.c_str());
  if (history_file.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(history_file.parent_path(), error);
  // What was asked is nobody else's business.
  const mode_t mask = ::umask(077);
  ::history(history, &event, H_SAVE, history_file.c_str());
  ::umask(mask);
}

LineEditor::LineEditor(std::filesystem::path history) {
  if (stdin_is_terminal() && stdout_is_terminal()) terminal_ = std::make_unique<Terminal>(std::move(history));
}

LineEditor::~LineEditor() = default;

Line LineEditor::read_line(std::string_view prompt) {
  if (terminal_) return terminal_->read(prompt);
  Line line{LineStatus::line, {}};
  if (!std::getline(std::cin, line.text)) line.status = LineStatus::end;
  return line;
}

Line LineEditor::read(std::string_view prompt) {
  Line message = read_line(prompt);
  while (message.status == LineStatus::line && message.text.ends_with('\\')) {
    message.text.back() = '\n';
    Line more = read_line("… ");
    if (more.status == LineStatus::interrupted) return {LineStatus::interrupted, message.text};
    message.text += more.text;
    if (more.status == LineStatus::end) break;
  }
  if (terminal_ && message.status == LineStatus::line && !message.text.empty()) terminal_->remember(message.text);
  return message;
}

std::filesystem::path history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state && *state) return std::filesystem::path(state) / "ogas" / "history";
  const char* home = std::getenv("HOME");
  if (home && *home) return std::filesystem::path(home) / ".local" / "state" / "ogas" / "history";
  return {};
}

}  // namespace ogas::cli
