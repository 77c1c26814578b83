#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace ogas {
namespace {

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    content.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return system_error(path, "open");
  MappedFile file;
  file.path_ = path;
  file.status_ = OGAS_TRY(inspect_regular_file(fd, path));
  file.size_ = static_cast<size_t>(file.status_.st_size);
  file.fd_ = std::move(fd);
  if (file.size_ == 0) return file;
  void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, file.fd_.get(), 0);
  if (data == MAP_FAILED) {
    file.size_ = 0;
    return system_error(path, "map");
  }
  file.data_ = static_cast<const std::byte*>(data);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)),
      fd_(std::move(other.fd_)),
      status_(other.status_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(status_, other.status_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<> MappedFile::populate(Bytes part) const {
  if (part.empty()) return {};
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(part.data()) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(part.data()) + part.size();
  if (::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ) == 0) return {};
  // Kernels before 5.14 do not know it (EINVAL); what is not read ahead is read when it is touched.
  if (errno != EINVAL) return system_error(path_, "read");
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
  return {};
}

Result<> MappedFile::read(Bytes part, std::span<std::byte> into) const {
  OGAS_CHECK(holds(part) && part.size() <= into.size(), "{} bytes of '{}' into {}", part.size(), path_.string(),
             into.size());
  const auto offset = static_cast<size_t>(part.data() - data_);
  for (size_t done = 0; done < part.size();) {
    const ssize_t n = ::pread(fd_.get(), into.data() + done, part.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return fail(ErrorCode::io, "cannot read '{}' at byte {}: {}", path_.string(), offset + done,
                  std::strerror(errno));
    if (n == 0)
      return fail(ErrorCode::io, "'{}': ends at byte {}; {} bytes at {} were expected", path_.string(), offset + done,
                  part.size(), offset);
    done += static_cast<size_t>(n);
  }
  return {};
}

void MappedFile::release(Bytes part) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void MappedFile::drop_from_page_cache() const {
  release(bytes());
  ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
}

Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return system_error(path, "open");
  const auto size = static_cast<size_t>(OGAS_TRY(inspect_regular_file(fd, path)).st_size);
  if (size > max_bytes)
    return fail(ErrorCode::bad_file, "'{}' has {} bytes; at most {} are expected here", path.string(), size, max_bytes);
  std::string content(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd.get(), content.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path, "read");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  content.resize(done);
  return content;
}

Result<> write_file_atomically(const std::filesystem::path& path, std::span<const Bytes> parts, Durability durability) {
  static std::atomic<unsigned> n_written = 0;
  const std::string temporary = fmt::format("{}.{}-{}.tmp", path.string(), ::getpid(), ++n_written);
  FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (fd.get() < 0) return system_error(path, "create");
  const auto write_part = [&](Bytes part) {
    return write_all(fd.get(), {reinterpret_cast<const char*>(part.data()), part.size()});
  };
  if (!std::ranges::all_of(parts, write_part) || (durability == Durability::at_once && ::fsync(fd.get()) != 0) ||
      !fd.close() || ::rename(temporary.c_str(), path.c_str()) != 0) {
    auto error = system_error(path, "write");
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  const Bytes whole = std::as_bytes(std::span(content));
  return write_file_atomically(path, {&whole, 1});
}

}  // namespace ogas
