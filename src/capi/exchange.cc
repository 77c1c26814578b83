#include "capi/exchange.h"

#include <utility>

namespace ogas::capi {

void Exchange::push(std::string_view text) {
  const std::lock_guard lock(mutex_);
  events_.text += text;
  changed_.notify_one();
}

void Exchange::finish(Result<Answer> answer) {
  const std::lock_guard lock(mutex_);
  events_.answer = std::move(answer);
  changed_.notify_one();
}

void Exchange::cancel() {
  const std::lock_guard lock(mutex_);
  events_.cancelled = true;
  changed_.notify_one();
}

Exchange::Events Exchange::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !events_.text.empty() || events_.cancelled || events_.answer; });
  return std::exchange(events_, {});
}

}  // namespace ogas::capi
