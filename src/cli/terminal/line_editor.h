// Lines from a person: editing and history on a terminal, plain reading elsewhere.
//
// A paste of several lines stays one message (bracketed paste, where the terminal has it), Alt-Enter and a backslash at
// the end of a line begin another. Not a screen editor, and no completion.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace ogas::cli {

enum class LineStatus {
  line,
  end,          // Ctrl-D, or the end of the input
  interrupted,  // Ctrl-C
};

struct Line {
  LineStatus status;
  std::string text;  // what was typed, without the newline at its end; of an interrupted line what was there so far
};

class LineEditor {
 public:
  // history: the file that keeps lines between runs; empty: none. A file that cannot be read or written is ignored.
  explicit LineEditor(std::filesystem::path history);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Shows the prompt (on a terminal), which ends in a space, and reads one message.
  Line read(std::string_view prompt);

 private:
  struct Terminal;
  Line read_line(std::string_view prompt);
  std::unique_ptr<Terminal> terminal_;  // null where stdin or stdout is none
};

// ${XDG_STATE_HOME:-~/.local/state}/ogas/history; empty where there is no home.
std::filesystem::path history_path();

}  // namespace ogas::cli
