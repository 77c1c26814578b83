#include "cli/terminal/reply_printer.h"

#include "cli/terminal/terminal.h"

namespace ogas::cli {

ReplyPrinter::ReplyPrinter(bool hides_thinking) : shows_reasoning_(!hides_thinking && stdout_is_terminal()) {}

void ReplyPrinter::print(std::string_view reasoning, std::string_view content) {
  if (!reasoning.empty() && shows_reasoning_) {
    go_to(At::reasoning);
    write_stdout(style_stdout(Style::dim, printable(reasoning)));
  }
  if (content.empty()) return;
  go_to(At::content);
  write_foreign(content);
}

void ReplyPrinter::end_line() {
  if (at_ != At::nothing) write_stdout("\n");
  at_ = At::nothing;
}

void ReplyPrinter::go_to(At at) {
  if (at_ != At::nothing && at_ != at) write_stdout("\n\n");
  at_ = at;
}

void add_hide_thinking_to(CLI::App& app, bool& hides_thinking) {
  app.add_flag("--hide-thinking,--hidethinking", hides_thinking,
               "Leave out what the model thinks before its answer, on a terminal too");
}

}  // namespace ogas::cli
