#include "cli/signals.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/check.h"
#include "cli/exit_code.h"

namespace ogas::cli {
namespace {

std::atomic<Engine*> answering = nullptr;
std::atomic<bool> interrupted = false;
std::atomic<int> waiting_fd = -1;

void on_interrupt(int) {
  const int saved_errno = errno;
  if (const int fd = waiting_fd.load(); fd >= 0) {
    const uint64_t one = 1;
    (void)!::write(fd, &one, sizeof one);
  } else if (Engine* engine = answering.load(); engine && !interrupted.exchange(true)) {
    engine->cancel();
  } else {
    ::_exit(kInterrupted);
  }
  errno = saved_errno;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

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

}  // namespace ogas::cli
