// Ctrl-C: what it means depends on what the program is doing.
#pragma once

#include "engine/engine.h"

namespace ogas::cli {

// From here on SIGINT cancels the answer the engine is giving; a second SIGINT within the same answer, or one while
// nothing is being answered, ends the program with exit code 130. SIGPIPE is ignored: writes report it.
void install_signal_handlers();

// The file that SIGINT removes where it ends the program; null for none. The text must live until the next call.
void remove_on_interrupt(const char* path);

// Marks that this engine answers while the object lives.
class AnswerInProgress {
 public:
  explicit AnswerInProgress(Engine& engine);
  ~AnswerInProgress();
  AnswerInProgress(const AnswerInProgress&) = delete;
  AnswerInProgress& operator=(const AnswerInProgress&) = delete;
};

// While it lives, SIGINT only makes fd() readable, for a caller that waits for a line. take() reports and resets it.
// One at a time.
class InterruptsAsInput {
 public:
  InterruptsAsInput();
  ~InterruptsAsInput();
  InterruptsAsInput(const InterruptsAsInput&) = delete;
  InterruptsAsInput& operator=(const InterruptsAsInput&) = delete;
  int fd() const { return fd_; }
  bool take();

 private:
  int fd_;
};

// Whether the terminal changed its size, or the program resumed after Ctrl-Z, since the last call. The first call
// starts watching.
bool take_window_changed();
bool take_continued();

}  // namespace ogas::cli
