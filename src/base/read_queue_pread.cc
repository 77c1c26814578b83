// Reads by pread(), with a thread for each read in flight: the fallback if io_uring is not available.
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/read_queue.h"

namespace ogas {
namespace {

class PreadQueue final : public ReadQueue {
 public:
  explicit PreadQueue(Pread pread) : pread_(std::move(pread)) {}

  ~PreadQueue() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    has_started_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void add_threads(unsigned n) {
    for (; n > 0; --n) threads_.emplace_back([this] { work(); });
  }

  void start(const Request& request) override {
    {
      const std::lock_guard lock(mutex_);
      started_.push_back(request);
    }
    has_started_.notify_one();
  }

  void flush() override {}

  std::optional<Outcome> take(bool wait) override {
    std::unique_lock lock(mutex_);
    if (wait) has_ended_.wait(lock, [&] { return !ended_.empty(); });
    if (ended_.empty()) return std::nullopt;
    const Outcome outcome = ended_.front();
    ended_.pop_front();
    return outcome;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      has_started_.wait(lock, [&] { return stopping_ || !started_.empty(); });
      if (stopping_) return;
      const Request request = started_.front();
      started_.pop_front();
      lock.unlock();
      const int64_t n = pread_(request.file.fd, request.bytes.data(), request.bytes.size(), request.offset);
      const int64_t n_read = n < 0 ? -errno : n;
      lock.lock();
      ended_.push_back({request.id, n_read});
      has_ended_.notify_one();
    }
  }

  Pread pread_;
  std::mutex mutex_;  // guards all that follows but the threads
  std::condition_variable has_started_, has_ended_;
  std::deque<Request> started_;
  std::deque<Outcome> ended_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<ReadQueue>> make_pread_queue(unsigned depth, Pread pread) {
  auto queue = std::make_unique<PreadQueue>(std::move(pread));
  try {
    queue->add_threads(depth);
  } catch (const std::system_error& error) {
    return fail(ErrorCode::io, "cannot start {} threads that read from disk: {}", depth, error.what());
  }
  return queue;
}

}  // namespace ogas
