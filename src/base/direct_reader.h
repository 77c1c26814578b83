// Reads from files that bypass the page cache, many at a time: for weights that are read on demand and cached, if at
// all, in our own memory.
//
// A read is split into pieces, and up to `depth` pieces of all reads are in flight at a time, since a disk is fast only
// with a deep queue. The queue advances with each call, so a caller that computes meanwhile calls poll() every few
// milliseconds. One thread uses a reader and must outlive it: io_uring cancels a thread's requests when the thread
// ends. Not a cache, and not for small files: see read_file().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/file_descriptor.h"
#include "base/read_queue.h"
#include "base/result.h"

namespace ogas {

class DirectReader {
 public:
  // Direct I/O reads whole blocks; the device's are 512 or 4096 bytes.
  static constexpr size_t kBlock = 4096;
  static constexpr unsigned kMaxDepth = 256;

  enum class Backend { automatic, io_uring, pread };
  struct Options {
    Backend backend = Backend::automatic;  // io_uring where the kernel lets us, or else pread, with at most 32 threads
    unsigned depth = 0;                    // pieces in flight at a time, at most kMaxDepth; 0: 32
    size_t piece_bytes = 0;                // whole blocks; 0: 512 KiB. disk_probe.h finds out what a disk likes
    Pread pread_for_tests = nullptr;       // in place of pread(), called by several threads
  };
  // Errors: unsupported, if io_uring is requested and not available; io.
  static Result<std::unique_ptr<DirectReader>> create(const Options& options);
  // Waits for reads in flight, since the kernel writes into the buffers, and drops those that are only queued.
  ~DirectReader();
  DirectReader(const DirectReader&) = delete;
  DirectReader& operator=(const DirectReader&) = delete;

  // Opens a file, and any copies of it on other disks, which share the work in proportion to their speed.
  // Returns its index, from 0. Errors: not_found; io; bad_file, where a mirror's size is not the file's.
  Result<uint32_t> open(const std::filesystem::path& path, std::span<const std::filesystem::path> mirrors = {});
  uint64_t size(uint32_t file) const { return file_at(file).size; }
  // False if the file system does not support direct I/O. What was read is then dropped from the page cache.
  bool is_direct(uint32_t file) const;
  // Checks that it and its mirrors are unchanged since they were opened. Errors: io, if one was truncated or written.
  Result<> check_unchanged(uint32_t file) const;

  struct Read {
    uint32_t file;
    uint64_t offset;    // bytes, any
    size_t n_bytes;     // any
    std::byte* buffer;  // aligned to kBlock, buffer_bytes(offset, n_bytes) long, untouched until the read is done
    uint64_t tag;       // comes back with Done
  };
  // The size of the whole blocks around these bytes, which is what is read.
  static size_t buffer_bytes(uint64_t offset, size_t n_bytes);
  // Where the first byte of a completed read is in its buffer.
  static std::byte* begin_of(const Read& read) { return read.buffer + read.offset % kBlock; }

  // Queues reads in this order and starts as many as the depth allows. Does not wait for the disk.
  void submit(std::span<const Read> reads);
  void submit(const Read& read) { submit({&read, 1}); }

  // Errors: io, naming file and offset: the disk failed, on all mirrors, or the file ends too early.
  struct Done {
    uint64_t tag;
    Result<> result;
  };
  // A completed read, if there is one; does not wait.
  std::optional<Done> poll();
  // Waits for the next completed read; n_pending() must not be 0.
  Done wait();
  // Reads whose Done has not been handed out.
  size_t n_pending() const { return n_pending_; }

  // Registers this memory with the kernel once, instead of at every read into it. All of it is allocated at once and
  // must stay mapped, or reads write elsewhere. Replaces what was registered before; an empty span only unregisters.
  // False if it is not possible (no io_uring, RLIMIT_MEMLOCK): reads work all the same. Not while reads are pending.
  bool register_memory(std::span<std::byte> memory);

  Backend backend() const { return backend_; }  // which it is; never automatic
  unsigned depth() const { return depth_; }

  struct Stats {
    uint64_t n_bytes = 0;     // from disk, with the whole blocks around what was requested
    uint64_t n_reads = 0;     // completed, errors included
    double busy_seconds = 0;  // with anything in flight, up to when this reader was told that it had ended
  };
  Stats stats() const;

 private:
  // One file on one disk.
  struct Copy {
    std::filesystem::path path;
    FileDescriptor buffered_fd = {}, direct_fd = {};  // direct_fd: none if the file system refuses it
    ReadQueue::File buffered = {}, direct = {};
    struct stat status = {};
    size_t disk_idx = 0;
    uint64_t n_given = 0;     // pieces
    bool has_failed = false;  // then its mirrors are asked first
  };
  struct File {
    uint64_t size;
    std::vector<Copy> copies;
  };
  // A read in progress. Up to byte `next` of the file it is done, or in flight in n_in_flight pieces.
  struct Pending {
    Read read;
    uint64_t next = 0;
    unsigned n_in_flight = 0;
    std::optional<Error> error = {};
  };
  // Blocks [begin, end) in flight; read up to `at`.
  struct Piece {
    uint32_t pending_idx = 0;
    uint64_t begin = 0, at = 0, end = 0;
    uint32_t copy_idx = 0;
    uint64_t tried_copies = 0;  // a bit each
    bool is_buffered = false;
  };

  DirectReader(std::unique_ptr<ReadQueue> queue, Backend backend, unsigned depth, size_t piece_bytes);
  const File& file_at(uint32_t file) const;
  Result<Copy> open_copy(const std::filesystem::path& path);
  size_t disk_of(dev_t device);
  void add_pending(const Read& read);
  void move_on();
  void start_pieces();
  std::optional<uint32_t> choose_copy(const File& file, uint64_t tried) const;
  void start(uint32_t piece_idx, uint32_t copy_idx);
  void go_on(uint32_t piece_idx);
  void take(const ReadQueue::Outcome& outcome);
  void fail_over(uint32_t piece_idx, Error error);
  void end_piece(uint32_t piece_idx);
  void end_read(uint32_t pending_idx);
  Done hand_out();

  const Backend backend_;
  const unsigned depth_;
  const size_t piece_bytes_;
  std::vector<dev_t> disks_;
  std::vector<unsigned> n_on_disk_;  // pieces that each of disks_ has now
  std::vector<File> files_;

  std::vector<Piece> pieces_;          // depth_ slots
  std::vector<uint32_t> free_pieces_;  // slots of pieces_
  std::vector<Pending> pending_;
  std::vector<uint32_t> free_pending_;  // slots of pending_
  std::deque<uint32_t> queued_;         // slots of pending_ with pieces still to be started
  std::deque<Done> done_;
  size_t n_pending_ = 0;

  Stats stats_;
  std::chrono::steady_clock::time_point busy_since_;
  std::unique_ptr<ReadQueue> queue_;  // destroyed first: the files must still be open
};

}  // namespace ogas
