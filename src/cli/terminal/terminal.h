// What the terminal can do, and output that notices when it fails.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace ogas::cli {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

// Whether a terminal is likely to show more than ASCII, by what the environment says of it and of the locale.
bool shows_unicode();

enum class Style { dim, bold, error, prompt };
// The text with escape sequences around it where that stream is a terminal that shows them (NO_COLOR and TERM=dumb are
// respected), else the text alone.
std::string style_stderr(Style style, std::string_view text);
std::string style_stdout(Style style, std::string_view text);

// Control characters replaced, so that bytes from a file cannot drive the terminal; newlines and tabs stay.
std::string printable(std::string_view text);

// The same with newlines and tabs as spaces: what came from outside cannot begin a line of its own.
std::string printable_line(std::string_view text);

// Writes to stdout at once. A reader that went away (a closed pipe) ends the program quietly, with the status a shell
// gives for SIGPIPE; any other failure, a full disk say, ends it with an error.
void write_stdout(std::string_view text);
// What a model or a file says: to a terminal without control characters, elsewhere as it is.
void write_foreign(std::string_view text);
// JSON is ASCII on a terminal, since U+009B alone can drive some.
void write_json(const nlohmann::ordered_json& json, int indent = -1);

// Writes to stderr. A failure is ignored: there is nowhere to report it.
void write_stderr(std::string_view text);

// A bar on stderr for work that takes longer than a moment; nothing if stderr is not a terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label) : label_(std::move(label)) {}
  ~ProgressBar() { clear(); }
  void update(double share);
  void clear();

 private:
  std::string label_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  int shown_percent_ = -1;
};

}  // namespace ogas::cli
