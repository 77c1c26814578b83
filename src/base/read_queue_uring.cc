// Reads by io_uring: started in batches with one call into the kernel, and no thread of ours.
//
// Needs nothing that Linux 5.10 lacks. Deliberately without kernel polling (SQPOLL), which would take a core from the
// engine. Files and memory that cannot be registered are used unregistered.
#include <liburing.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/read_queue.h"

namespace ogas {
namespace {

constexpr unsigned kRegisteredFiles = 64;             // an arbitrary few; a split model has as many files at most
constexpr size_t kRegisteredBytes = size_t{1} << 30;  // the kernel's limit for one buffer
constexpr size_t kRegisteredBuffers = 1024;           // its limit before Linux 5.13
constexpr uint64_t kProbe = UINT64_MAX;

class UringQueue final : public ReadQueue {
 public:
  ~UringQueue() override {
    if (is_open_) io_uring_queue_exit(&ring_);
  }

  Result<> open(unsigned depth) {
    if (const int error = io_uring_queue_init(depth, &ring_, 0); error < 0) return unavailable(error);
    is_open_ = true;
    // This feature identifies Linux 5.6, the first with reads into plain buffers.
    if ((ring_.features & IORING_FEAT_RW_CUR_POS) == 0) return unavailable(-EOPNOTSUPP);
    // Some sandboxes let it be set up and then refuse to enter it.
    io_uring_sqe* probe = io_uring_get_sqe(&ring_);
    io_uring_prep_nop(probe);
    probe->user_data = kProbe;
    if (const int error = io_uring_submit_and_wait(&ring_, 1); error < 0) return unavailable(error);
    const auto outcome = take(true);
    if (outcome->n_read < 0) return unavailable(static_cast<int>(outcome->n_read));
    std::array<int, kRegisteredFiles> none;
    none.fill(-1);
    io_uring_register_files(&ring_, none.data(), kRegisteredFiles);
    return {};
  }

  File add_file(int fd) override {
    if (io_uring_register_files_update(&ring_, n_files_, &fd, 1) != 1)  // all slots are taken, or there are none
      return {.fd = fd};
    return {.fd = fd, .slot = static_cast<int>(n_files_++)};
  }

  void start(const Request& request) override {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
      flush();
      entry = io_uring_get_sqe(&ring_);
    }
    OGAS_CHECK(entry != nullptr, "more reads than the queue is deep");
    const bool is_registered = request.file.slot >= 0;
    const int file = is_registered ? request.file.slot : request.file.fd;
    const auto n_bytes = static_cast<unsigned>(request.bytes.size());
    if (const int buffer = registered_buffer(request.bytes); buffer >= 0)
      io_uring_prep_read_fixed(entry, file, request.bytes.data(), n_bytes, request.offset, buffer);
    else
      io_uring_prep_read(entry, file, request.bytes.data(), n_bytes, request.offset);
    if (is_registered) entry->flags |= IOSQE_FIXED_FILE;
    entry->user_data = request.id;
  }

  void flush() override {
    while (io_uring_sq_ready(&ring_) > 0) check_or_yield(io_uring_submit(&ring_));
  }

  std::optional<Outcome> take(bool wait) override {
    io_uring_cqe* entry = nullptr;
    while (io_uring_peek_cqe(&ring_, &entry) != 0 || entry == nullptr) {
      if (!wait) return std::nullopt;
      check_or_yield(io_uring_submit_and_wait(&ring_, 1));
    }
    const Outcome outcome = {entry->user_data, entry->res};
    io_uring_cqe_seen(&ring_, entry);
    return outcome;
  }

  bool register_memory(std::span<std::byte> memory) override {
    if (!memory_.empty()) io_uring_unregister_buffers(&ring_);
    memory_ = {};
    const size_t n_parts = (memory.size() + kRegisteredBytes - 1) / kRegisteredBytes;
    if (n_parts == 0 || n_parts > kRegisteredBuffers) return false;
    std::vector<iovec> parts;
    for (size_t at = 0; at < memory.size(); at += kRegisteredBytes)
      parts.push_back({memory.data() + at, std::min(kRegisteredBytes, memory.size() - at)});
    if (io_uring_register_buffers(&ring_, parts.data(), static_cast<unsigned>(parts.size())) != 0) return false;
    memory_ = memory;
    return true;
  }

 private:
  static std::unexpected<Error> unavailable(int error) {
    return fail(ErrorCode::unsupported, "the kernel does not let us use io_uring: {}", std::strerror(-error));
  }

  // A signal, or the kernel is briefly short of memory: try again.
  static void check_or_yield(int result) {
    if (result >= 0 || result == -EINTR) return;
    OGAS_CHECK(result == -EAGAIN || result == -EBUSY || result == -ENOMEM, "io_uring: {}", std::strerror(-result));
    std::this_thread::yield();
  }

  // Which registered buffer holds all of these bytes; -1: none.
  int registered_buffer(std::span<const std::byte> bytes) const {
    if (memory_.empty() || bytes.data() < memory_.data()) return -1;
    const auto begin = static_cast<size_t>(bytes.data() - memory_.data());
    const size_t end = begin + bytes.size();
    if (end > memory_.size() || begin / kRegisteredBytes != (end - 1) / kRegisteredBytes) return -1;
    return static_cast<int>(begin / kRegisteredBytes);
  }

  io_uring ring_ = {};
  bool is_open_ = false;
  unsigned n_files_ = 0;
  std::span<std::byte> memory_;  // what is registered
};

}  // namespace

Result<std::unique_ptr<ReadQueue>> make_io_uring_queue(unsigned depth) {
  auto queue = std::make_unique<UringQueue>();
  OGAS_TRY(queue->open(depth));
  return queue;
}

}  // namespace ogas
