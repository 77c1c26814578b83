// Writes a reply to stdout while it is streamed.
#pragma once

#include <CLI/CLI.hpp>
#include <string_view>

namespace ogas::cli {

// Reasoning is for a person who watches, dimmed; a script gets the answer.
class ReplyPrinter {
 public:
  explicit ReplyPrinter(bool hides_thinking);
  // Further text of both, whole characters; reasoning comes first.
  void print(std::string_view reasoning, std::string_view content);
  // Ends a line that was begun.
  void end_line();

 private:
  enum class At : char { nothing, reasoning, content };
  // A blank line parts reasoning from content.
  void go_to(At at);

  bool shows_reasoning_;
  At at_ = At::nothing;
};

// --hide-thinking
void add_hide_thinking_to(CLI::App& app, bool& hides_thinking);

}  // namespace ogas::cli
