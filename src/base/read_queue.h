// Reads in flight in the kernel: the layer below DirectReader, implemented with io_uring and with threads.
//
// It knows nothing of requests, pieces or retries; a result is what pread() would have returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"

namespace ogas {

class ReadQueue {
 public:
  // A file the queue knows. slot: where it is registered; -1: not registered, which costs a little at each read.
  struct File {
    int fd = -1, slot = -1;
  };
  struct Request {
    File file;
    uint64_t offset;
    std::span<std::byte> bytes;  // owned by the kernel until the outcome
    uint64_t id;
  };
  // n_read: bytes, which may be fewer than requested, or -errno.
  struct Outcome {
    uint64_t id;
    int64_t n_read;
  };

  virtual ~ReadQueue() = default;
  // The descriptor stays open as long as the queue.
  virtual File add_file(int fd) { return {.fd = fd}; }
  // Starts a read, at the latest in flush(). Never more at a time than the depth of the queue.
  virtual void start(const Request& request) = 0;
  virtual void flush() = 0;
  // The outcome of a completed read, or nothing. wait: blocks for one, which must have been started.
  virtual std::optional<Outcome> take(bool wait) = 0;
  // See DirectReader::register_memory. No read may be in flight.
  virtual bool register_memory(std::span<std::byte>) { return false; }
};

// Errors: unsupported, if the kernel is too old, or forbids it as containers do.
Result<std::unique_ptr<ReadQueue>> make_io_uring_queue(unsigned depth);

// As ::pread, errno included.
using Pread = std::function<int64_t(int fd, void* buffer, size_t n, uint64_t offset)>;

// A thread for each read in flight. pread: called by all of them. Errors: io, if threads cannot be started.
Result<std::unique_ptr<ReadQueue>> make_pread_queue(unsigned depth, Pread pread);

}  // namespace ogas
