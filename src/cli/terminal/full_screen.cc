#include "cli/terminal/full_screen.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/check.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/terminal.h"

namespace ogas::cli {
namespace {

// The alternate screen, no cursor, and no wrapping of lines.
constexpr std::string_view kEnter = "\033[?1049h\033[?25l\033[?7l\033[2J";
constexpr std::string_view kLeave = "\033[?7h\033[?25h\033[?1049l";

constexpr char kCtrlC = 3, kCtrlD = 4, kCtrlL = 12, kCtrlZ = 26;

winsize window() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    size.ws_col = 80;
    size.ws_row = 24;
  }
  return size;
}

}  // namespace

struct FullScreen::State {
  termios before{};
  InterruptsAsInput interrupts;
  sigset_t signals_before{};
  sigset_t signals_waiting{};  // blocked while wait_until() waits
  int ending = -1;             // tells of SIGTERM and SIGHUP
};

bool FullScreen::is_possible() {
  const char* term = std::getenv("TERM");
  return stdin_is_terminal() && stdout_is_terminal() && term && *term && std::string_view(term) != "dumb";
}

FullScreen::FullScreen() : state_(std::make_unique<State>()) {
  const auto set_of = [](std::initializer_list<int> numbers) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : numbers) ::sigaddset(&set, number);
    return set;
  };
  const sigset_t ending = set_of({SIGTERM, SIGHUP});
  // Changes are let in while waiting only, so that none falls between a look at them and the wait.
  const sigset_t changes = set_of({SIGWINCH, SIGCONT});
  ::pthread_sigmask(SIG_BLOCK, &ending, &state_->signals_before);
  ::pthread_sigmask(SIG_BLOCK, &changes, &state_->signals_waiting);
  state_->ending = ::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
  OGAS_CHECK(state_->ending >= 0, "signalfd: errno {}", errno);
  ::tcgetattr(STDIN_FILENO, &state_->before);
  take_window_changed();
  take_continued();
  enter();
}

FullScreen::~FullScreen() {
  leave();
  ::close(state_->ending);
  ::pthread_sigmask(SIG_SETMASK, &state_->signals_before, nullptr);
}

void FullScreen::enter() {
  termios raw = state_->before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  write_stdout(kEnter);
}

void FullScreen::leave() {
  write_stdout(kLeave);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &state_->before);
}

std::vector<int> FullScreen::descriptors() const { return {STDIN_FILENO, state_->interrupts.fd(), state_->ending}; }

int FullScreen::n_columns() const { return window().ws_col; }
int FullScreen::n_rows() const { return window().ws_row; }

FullScreen::Event FullScreen::read_key() {
  std::array<char, 256> keys{};
  const ssize_t n = ::read(STDIN_FILENO, keys.data(), keys.size());
  if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return Event::leave;  // the terminal is gone
  Event event = Event::none;
  for (ssize_t idx = 0; idx < n; ++idx) {
    const char key = keys[static_cast<size_t>(idx)];
    if (key == 'q' || key == 'Q' || key == kCtrlC || key == kCtrlD) return Event::leave;
    if (key == kCtrlL) event = Event::redraw;
    if (key == kCtrlZ) {
      leave();
      ::kill(0, SIGTSTP);
      enter();
      event = Event::redraw;
    }
  }
  return event;
}

FullScreen::Event FullScreen::wait_until(std::chrono::steady_clock::time_point when) {
  using std::chrono::nanoseconds;
  for (;;) {
    const auto left = std::max(nanoseconds(0), nanoseconds(when - std::chrono::steady_clock::now()));
    const timespec time = {left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    pollfd wanted[] = {{STDIN_FILENO, POLLIN, 0}, {state_->interrupts.fd(), POLLIN, 0}, {state_->ending, POLLIN, 0}};
    const int n = ::ppoll(wanted, std::size(wanted), &time, &state_->signals_waiting);
    if (take_continued()) {  // stopped by somebody else
      enter();
      return Event::redraw;
    }
    if (take_window_changed()) return Event::redraw;
    if (n < 0 && errno != EINTR) return Event::leave;
    if (n == 0) return Event::none;
    if (n < 0) continue;
    if (wanted[1].revents || wanted[2].revents) return Event::leave;
    if (const Event event = read_key(); event != Event::none) return event;
  }
}

void FullScreen::draw(const std::vector<std::string>& lines) {
  std::string text = "\033[H";
  const size_t n = std::min(lines.size(), static_cast<size_t>(n_rows()));
  for (size_t idx = 0; idx < n; ++idx) text += (idx == 0 ? "" : "\n") + lines[idx] + "\033[K";
  write_stdout(text + "\033[J");
}

}  // namespace ogas::cli
