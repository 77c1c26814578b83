#include "base/direct_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "base/check.h"
#include "base/log.h"

namespace ogas {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kDefaultDepth = 32, kMaxThreads = 32;
constexpr size_t kDefaultPieceBytes = size_t{512} << 10;
constexpr size_t kMaxPieceBytes = size_t{1} << 30;  // the kernel reads less than 2 GiB at a time
constexpr size_t kMaxCopies = 64;                   // bits of Piece::tried_copies

constexpr uint64_t block_begin(uint64_t offset) { return offset / DirectReader::kBlock * DirectReader::kBlock; }
constexpr uint64_t block_end(uint64_t offset) { return block_begin(offset + DirectReader::kBlock - 1); }

bool is_same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Some file systems open a file for direct reads and then refuse each of them.
bool can_read_directly(int fd) {
  alignas(DirectReader::kBlock) std::array<std::byte, DirectReader::kBlock> block;
  return ::pread(fd, block.data(), block.size(), 0) >= 0 || errno != EINVAL;
}

Error ends_early(const std::filesystem::path& path, uint64_t end, const DirectReader::Read& read) {
  return {ErrorCode::io, fmt::format("'{}': ends at byte {}; {} bytes at {} were expected", path.string(), end,
                                     read.n_bytes, read.offset)};
}

}  // namespace

Result<std::unique_ptr<DirectReader>> DirectReader::create(const Options& options) {
  unsigned depth = options.depth == 0 ? kDefaultDepth : options.depth;
  const size_t piece_bytes = options.piece_bytes == 0 ? kDefaultPieceBytes : options.piece_bytes;
  OGAS_CHECK(depth <= kMaxDepth, "a depth of {}", depth);
  OGAS_CHECK(piece_bytes % kBlock == 0 && piece_bytes <= kMaxPieceBytes, "pieces of {} bytes", piece_bytes);
  const auto make = [&](ReadQueue* queue, Backend backend) {
    return std::unique_ptr<DirectReader>(
        new DirectReader(std::unique_ptr<ReadQueue>(queue), backend, depth, piece_bytes));
  };
  if (options.backend != Backend::pread) {
    auto queue = make_io_uring_queue(depth);
    if (queue) return make(queue->release(), Backend::io_uring);
    if (options.backend == Backend::io_uring) return std::unexpected(std::move(queue).error());
  }
  depth = std::min(depth, kMaxThreads);
  Pread pread = options.pread_for_tests;
  if (!pread)
    pread = [](int fd, void* buffer, size_t n, uint64_t offset) -> int64_t {
      return ::pread(fd, buffer, n, static_cast<off_t>(offset));
    };
  return make(OGAS_TRY(make_pread_queue(depth, std::move(pread))).release(), Backend::pread);
}

DirectReader::DirectReader(std::unique_ptr<ReadQueue> queue, Backend backend, unsigned depth, size_t piece_bytes)
    : backend_(backend), depth_(depth), piece_bytes_(piece_bytes), pieces_(depth), queue_(std::move(queue)) {
  for (unsigned i = depth; i > 0; --i) free_pieces_.push_back(i - 1);
}

DirectReader::~DirectReader() {
  for (size_t n = depth_ - free_pieces_.size(); n > 0; --n) queue_->take(true);
}

const DirectReader::File& DirectReader::file_at(uint32_t file) const {
  OGAS_CHECK(file < files_.size(), "file {} of {}", file, files_.size());
  return files_[file];
}

size_t DirectReader::disk_of(dev_t device) {
  const auto found = std::ranges::find(disks_, device);
  const auto disk_idx = static_cast<size_t>(found - disks_.begin());
  if (found == disks_.end()) {
    disks_.push_back(device);
    n_on_disk_.push_back(0);
  }
  return disk_idx;
}

Result<DirectReader::Copy> DirectReader::open_copy(const std::filesystem::path& path) {
  Copy copy{.path = path};
  copy.buffered_fd = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (copy.buffered_fd.get() < 0) return system_error(path, "open");
  copy.status = OGAS_TRY(inspect_regular_file(copy.buffered_fd, path));
  ::fcntl(copy.buffered_fd.get(), F_SETFL, 0);  // O_NONBLOCK was for pipes; io_uring would take it at its word
  copy.direct_fd = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT));
  if (copy.direct_fd.get() >= 0) {
    const struct stat again = OGAS_TRY(inspect_regular_file(copy.direct_fd, path));
    if (!is_same_file(again, copy.status))
      return fail(ErrorCode::io, "cannot open '{}': it was replaced just now; try again", path.string());
    if (!can_read_directly(copy.direct_fd.get())) copy.direct_fd = {};
  }
  // Turns off readahead into the page cache.
  ::posix_fadvise(copy.buffered_fd.get(), 0, 0, POSIX_FADV_RANDOM);
  copy.disk_idx = disk_of(copy.status.st_dev);
  return copy;
}

Result<uint32_t> DirectReader::open(const std::filesystem::path& path, std::span<const std::filesystem::path> mirrors) {
  OGAS_CHECK(mirrors.size() < kMaxCopies, "{} mirrors", mirrors.size());
  File file;
  file.copies.push_back(OGAS_TRY(open_copy(path)));
  file.size = static_cast<uint64_t>(file.copies[0].status.st_size);
  for (const auto& mirror : mirrors) {
    file.copies.push_back(OGAS_TRY(open_copy(mirror)));
    if (const auto size = static_cast<uint64_t>(file.copies.back().status.st_size); size != file.size)
      return fail(ErrorCode::bad_file, "'{}' has {} bytes, not {}: it is not a mirror of '{}'", mirror.string(), size,
                  file.size, path.string());
  }
  for (Copy& copy : file.copies) {
    const bool is_direct = copy.direct_fd.get() >= 0;
    if (is_direct) copy.direct = queue_->add_file(copy.direct_fd.get());
    copy.buffered =
        is_direct ? ReadQueue::File{.fd = copy.buffered_fd.get()} : queue_->add_file(copy.buffered_fd.get());
  }
  files_.push_back(std::move(file));
  return static_cast<uint32_t>(files_.size() - 1);
}

bool DirectReader::is_direct(uint32_t file) const {
  return std::ranges::all_of(file_at(file).copies, [](const Copy& copy) { return copy.direct_fd.get() >= 0; });
}

Result<> DirectReader::check_unchanged(uint32_t file) const {
  for (const Copy& copy : file_at(file).copies)
    OGAS_TRY(ogas::check_unchanged(copy.buffered_fd, copy.path, copy.status));
  return {};
}

size_t DirectReader::buffer_bytes(uint64_t offset, size_t n_bytes) {
  return n_bytes == 0 ? 0 : block_end(offset + n_bytes) - block_begin(offset);
}

bool DirectReader::register_memory(std::span<std::byte> memory) {
  OGAS_CHECK(n_pending_ == 0, "{} reads are pending", n_pending_);
  return queue_->register_memory(memory);
}

DirectReader::Stats DirectReader::stats() const {
  Stats stats = stats_;
  if (free_pieces_.size() < depth_)
    stats.busy_seconds += std::chrono::duration<double>(Clock::now() - busy_since_).count();
  return stats;
}

void DirectReader::submit(std::span<const Read> reads) {
  for (const Read& read : reads) add_pending(read);
  move_on();
}

void DirectReader::add_pending(const Read& read) {
  OGAS_CHECK(reinterpret_cast<uintptr_t>(read.buffer) % kBlock == 0, "a buffer that is not aligned");
  const File& file = file_at(read.file);
  ++n_pending_;
  const bool is_within = read.offset <= file.size && read.n_bytes <= file.size - read.offset;
  if (read.n_bytes == 0 || !is_within) {
    ++stats_.n_reads;
    done_.push_back({read.tag, {}});
    if (!is_within) done_.back().result = std::unexpected(ends_early(file.copies[0].path, file.size, read));
    return;
  }
  if (free_pending_.empty()) {
    free_pending_.push_back(static_cast<uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const uint32_t pending_idx = free_pending_.back();
  free_pending_.pop_back();
  pending_[pending_idx] = {.read = read, .next = block_begin(read.offset)};
  queued_.push_back(pending_idx);
}

std::optional<DirectReader::Done> DirectReader::poll() {
  move_on();
  if (done_.empty()) return std::nullopt;
  return hand_out();
}

DirectReader::Done DirectReader::wait() {
  OGAS_CHECK(n_pending_ > 0, "no read to wait for");
  move_on();
  while (done_.empty()) {
    take(*queue_->take(true));
    move_on();
  }
  return hand_out();
}

DirectReader::Done DirectReader::hand_out() {
  Done done = std::move(done_.front());
  done_.pop_front();
  --n_pending_;
  return done;
}

void DirectReader::move_on() {
  start_pieces();
  while (const auto outcome = queue_->take(false)) take(*outcome);
  start_pieces();
  queue_->flush();
}

void DirectReader::start_pieces() {
  while (!queued_.empty() && !free_pieces_.empty()) {
    const uint32_t pending_idx = queued_.front();
    Pending& pending = pending_[pending_idx];
    const uint64_t read_end = block_end(pending.read.offset + pending.read.n_bytes);
    const uint64_t end = std::min<uint64_t>(pending.next + piece_bytes_, read_end);
    if (free_pieces_.size() == depth_) busy_since_ = Clock::now();
    const uint32_t piece_idx = free_pieces_.back();
    free_pieces_.pop_back();
    pieces_[piece_idx] = {.pending_idx = pending_idx, .begin = pending.next, .at = pending.next, .end = end};
    ++pending.n_in_flight;
    pending.next = end;
    if (end == read_end) queued_.pop_front();
    start(piece_idx, *choose_copy(files_[pending.read.file], 0));
  }
}

// The disk with the fewest reads in flight, so that a slow disk gets no more than its share of the depth. Of several
// copies on one disk, the one that was read least. None: all were tried.
std::optional<uint32_t> DirectReader::choose_copy(const File& file, uint64_t tried) const {
  std::optional<uint32_t> best;
  const auto rank = [&](uint32_t copy_idx) {
    const Copy& copy = file.copies[copy_idx];
    return std::tuple(copy.has_failed, n_on_disk_[copy.disk_idx], copy.n_given);
  };
  for (uint32_t copy_idx = 0; copy_idx < file.copies.size(); ++copy_idx)
    if ((tried >> copy_idx & 1) == 0 && (!best || rank(copy_idx) < rank(*best))) best = copy_idx;
  return best;
}

void DirectReader::start(uint32_t piece_idx, uint32_t copy_idx) {
  Piece& piece = pieces_[piece_idx];
  Copy& copy = files_[pending_[piece.pending_idx].read.file].copies[copy_idx];
  piece.copy_idx = copy_idx;
  piece.tried_copies |= uint64_t{1} << copy_idx;
  piece.is_buffered = copy.direct_fd.get() < 0;
  if (!piece.is_buffered) piece.at = block_begin(piece.at);  // another copy may have stopped anywhere
  ++n_on_disk_[copy.disk_idx];
  ++copy.n_given;
  go_on(piece_idx);
}

void DirectReader::go_on(uint32_t piece_idx) {
  const Piece& piece = pieces_[piece_idx];
  const Read& read = pending_[piece.pending_idx].read;
  const Copy& copy = files_[read.file].copies[piece.copy_idx];
  queue_->start({.file = piece.is_buffered ? copy.buffered : copy.direct,
                 .offset = piece.at,
                 .bytes = {read.buffer + (piece.at - block_begin(read.offset)), piece.end - piece.at},
                 .id = piece_idx});
}

void DirectReader::take(const ReadQueue::Outcome& outcome) {
  const auto piece_idx = static_cast<uint32_t>(outcome.id);
  Piece& piece = pieces_[piece_idx];
  const Read& read = pending_[piece.pending_idx].read;
  const Copy& copy = files_[read.file].copies[piece.copy_idx];
  if (outcome.n_read > 0) {
    piece.at += static_cast<uint64_t>(outcome.n_read);
    stats_.n_bytes += static_cast<uint64_t>(outcome.n_read);
    if (piece.at >= std::min<uint64_t>(piece.end, read.offset + read.n_bytes)) return end_piece(piece_idx);
    // Direct reads continue at block boundaries only; the rest of a block comes through the page cache.
    if (piece.at % kBlock != 0) piece.is_buffered = true;
    return go_on(piece_idx);
  }
  if (outcome.n_read == 0) {
    struct stat now;
    const bool is_known = ::fstat(copy.buffered_fd.get(), &now) == 0;
    return fail_over(piece_idx, ends_early(copy.path, is_known ? static_cast<uint64_t>(now.st_size) : piece.at, read));
  }
  const auto code = static_cast<int>(-outcome.n_read);
  if (code == EINTR || code == EAGAIN) return go_on(piece_idx);
  // Some file systems refuse what reaches beyond the end of a file.
  if (code == EINVAL && !piece.is_buffered) {
    piece.is_buffered = true;
    return go_on(piece_idx);
  }
  fail_over(piece_idx, {ErrorCode::io, fmt::format("cannot read '{}' at byte {}: {}", copy.path.string(), piece.at,
                                                   std::strerror(code))});
}

void DirectReader::fail_over(uint32_t piece_idx, Error error) {
  const Piece& piece = pieces_[piece_idx];
  Pending& pending = pending_[piece.pending_idx];
  File& file = files_[pending.read.file];
  Copy& copy = file.copies[piece.copy_idx];
  const auto other = choose_copy(file, piece.tried_copies);
  if (!other) {
    if (!pending.error) pending.error = std::move(error);
    return end_piece(piece_idx);
  }
  if (!copy.has_failed) spdlog::warn("{}; its mirrors are read instead", error.message);
  copy.has_failed = true;
  --n_on_disk_[copy.disk_idx];
  start(piece_idx, *other);
}

void DirectReader::end_piece(uint32_t piece_idx) {
  const Piece& piece = pieces_[piece_idx];
  Pending& pending = pending_[piece.pending_idx];
  const Copy& copy = files_[pending.read.file].copies[piece.copy_idx];
  if (piece.is_buffered)
    ::posix_fadvise(copy.buffered_fd.get(), static_cast<off_t>(piece.begin),
                    static_cast<off_t>(piece.end - piece.begin), POSIX_FADV_DONTNEED);
  --n_on_disk_[copy.disk_idx];
  free_pieces_.push_back(piece_idx);
  if (free_pieces_.size() == depth_)
    stats_.busy_seconds += std::chrono::duration<double>(Clock::now() - busy_since_).count();
  // The rest of a read that failed is of no use.
  const uint64_t read_end = block_end(pending.read.offset + pending.read.n_bytes);
  if (pending.error && pending.next < read_end) {
    std::erase(queued_, piece.pending_idx);
    pending.next = read_end;
  }
  if (--pending.n_in_flight == 0 && pending.next == read_end) end_read(piece.pending_idx);
}

void DirectReader::end_read(uint32_t pending_idx) {
  Pending& pending = pending_[pending_idx];
  ++stats_.n_reads;
  done_.push_back({pending.read.tag, {}});
  if (pending.error) done_.back().result = std::unexpected(std::move(*pending.error));
  free_pending_.push_back(pending_idx);
}

}  // namespace ogas
