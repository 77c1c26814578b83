// Shared by the engine's thread, which computes an answer, the thread that waits for it, and a thread that cancels it.
// The waiting thread calls back with the text, so that a slow callback delays no other request.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "engine/request.h"

namespace ogas::capi {

class Exchange {
 public:
  // From the engine's thread.
  void push(std::string_view text);
  void finish(Result<Answer> answer);
  // From any thread.
  void cancel();

  struct Events {
    std::string text;        // since the last
    bool cancelled = false;  // since the last
    std::optional<Result<Answer>> answer;
  };
  // Waits for any of it.
  Events wait();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Events events_;
};

}  // namespace ogas::capi
