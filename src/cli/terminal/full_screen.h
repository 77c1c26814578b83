// A terminal that a program fills and keeps up to date, until the person leaves.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ogas::cli {

class FullScreen {
 public:
  // Whether stdin and stdout are a terminal that can move its cursor.
  static bool is_possible();

  // The terminal is as it was before once this is gone, and while the program is stopped by Ctrl-Z. Signals that end
  // programs make wait_until() say so, and end it when this is gone. One at a time, on the program's first thread.
  FullScreen();
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  enum class Event { none, redraw, leave };
  // Until something happens, or that time. leave: q, Ctrl-C, Ctrl-D or a signal that ends programs; redraw: the window
  // changed, the program resumed after Ctrl-Z, or Ctrl-L.
  Event wait_until(std::chrono::steady_clock::time_point when);
  // Descriptors that can be read from once wait_until() has something to tell.
  std::vector<int> descriptors() const;

  int n_columns() const;
  int n_rows() const;
  // Lines that do not fit are cut.
  void draw(const std::vector<std::string>& lines);

 private:
  struct State;
  void enter();
  void leave();
  Event read_key();
  std::unique_ptr<State> state_;
};

}  // namespace ogas::cli
