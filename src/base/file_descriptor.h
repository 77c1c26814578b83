// Shared by the classes that open files: an owning descriptor, and system errors as messages.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "base/result.h"

namespace ogas {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();
  int get() const { return fd_; }
  // Closes now and reports what close() said: a full disk may only show here.
  bool close();

 private:
  int fd_ = -1;
};

// Whether something of that name exists, even if it is a dangling symbolic link, which open() reports.
bool is_there(const std::filesystem::path& path);

// From errno: "cannot read 'model.gguf': Input/output error". Says so if a symbolic link is dangling.
std::unexpected<Error> system_error(const std::filesystem::path& path, const char* action);

// Errors: io, if a file that is open was truncated or written to since `before`.
Result<> check_unchanged(const FileDescriptor& fd, const std::filesystem::path& path, const struct stat& before);

// Fails on directories and devices: their size is meaningless, and a pipe would block.
Result<struct stat> inspect_regular_file(const FileDescriptor& fd, const std::filesystem::path& path);

}  // namespace ogas
