// The first error of work that several threads share.
#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include "base/result.h"

namespace ogas {

class FirstError {
 public:
  // From any thread. Costs nothing where there is no error.
  void add(Result<> result) {
    if (result) return;
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(result).error();
  }
  // Once all threads are done.
  Result<> result() && {
    if (!error_) return {};
    return std::unexpected(*std::move(error_));
  }

 private:
  std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace ogas
