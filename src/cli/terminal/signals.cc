#include "cli/terminal/signals.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/check.h"
#include "cli/terminal/exit_code.h"

namespace ogas::cli {
namespace {

std::atomic<Engine*> answering = nullptr;
std::atomic<bool> interrupted = false;
std::atomic<int> waiting_fd = -1;
std::atomic<const char*> unfinished_file = nullptr;
std::atomic<bool> window_changed = false;
std::atomic<bool> continued = false;

void on_interrupt(int) {
  const int saved_errno = errno;
  if (const int fd = waiting_fd.load(); fd >= 0) {
    const uint64_t one = 1;
    (void)!::write(fd, &one, sizeof one);
  } else if (Engine* engine = answering.load(); engine && !interrupted.exchange(true)) {
    engine->cancel();
  } else {
    if (const char* path = unfinished_file.load()) ::unlink(path);
    ::_exit(kInterrupted);
  }
  errno = saved_errno;
}

void on_window_change(int) { window_changed = true; }
void on_continue(int) { continued = true; }

void set_handler(int signal_number, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(signal_number, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  set_handler(SIGINT, on_interrupt, SA_RESTART);
  ::signal(SIGPIPE, SIG_IGN);
}

void remove_on_interrupt(const char* path) { unfinished_file = path; }

AnswerInProgress::AnswerInProgress(Engine& engine) {
  interrupted = false;
  answering = &engine;
}

AnswerInProgress::~AnswerInProgress() { answering = nullptr; }

InterruptsAsInput::InterruptsAsInput() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  OGAS_CHECK(fd_ >= 0, "eventfd: errno {}", errno);
  waiting_fd = fd_;
}

InterruptsAsInput::~InterruptsAsInput() {
  waiting_fd = -1;
  ::close(fd_);
}

bool InterruptsAsInput::take() {
  uint64_t count = 0;
  return ::read(fd_, &count, sizeof count) == sizeof count;
}

// poll() is never restarted, so a caller that waits there sees the change at once.
bool take_window_changed() {
  static const bool installed = (set_handler(SIGWINCH, on_window_change, SA_RESTART), true);
  return installed && window_changed.exchange(false);
}

bool take_continued() {
  static const bool installed = (set_handler(SIGCONT, on_continue, SA_RESTART), true);
  return installed && continued.exchange(false);
}

}  // namespace ogas::cli
