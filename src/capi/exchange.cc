#include "capi/exchange.h"

#include <utility>

namespace ogas::capi {

void Exchange::push(std::string_view text) {
  const std::lock_guard lock(mutex_);
  news_.text += text;
  changed_.notify_one();
}

void Exchange::finish(Result<Answer> answer) {
  const std::lock_guard lock(mutex_);
  news_.answer = std::move(answer);
  changed_.notify_one();
}

void Exchange::cancel() {
  const std::lock_guard lock(mutex_);
  news_.cancelled = true;
  changed_.notify_one();
}

Exchange::News Exchange::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !news_.text.empty() || news_.cancelled || news_.answer; });
  return std::exchange(news_, {});
}

}  // namespace ogas::capi
