#include "base/file_descriptor.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ogas {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

bool FileDescriptor::close() { return ::close(std::exchange(fd_, -1)) == 0; }

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(path, error));
}

std::unexpected<Error> system_error(const std::filesystem::path& path, const char* action) {
  const int code = errno;
  std::error_code error;
  if (code == ENOENT && std::filesystem::is_symlink(path, error))
    return fail(ErrorCode::not_found, "cannot {} '{}': it is a symbolic link to '{}', which does not exist", action,
                path.string(), std::filesystem::read_symlink(path, error).string());
  return fail(code == ENOENT || code == ENOTDIR ? ErrorCode::not_found : ErrorCode::io, "cannot {} '{}': {}", action,
              path.string(), std::strerror(code));
}

Result<struct stat> inspect_regular_file(const FileDescriptor& fd, const std::filesystem::path& path) {
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return system_error(path, "inspect");
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::io, "cannot read '{}': it is {}, not a regular file", path.string(),
                S_ISDIR(status.st_mode) ? "a directory" : "a device or pipe");
  return status;
}

Result<> check_unchanged(const FileDescriptor& fd, const std::filesystem::path& path, const struct stat& before) {
  const struct stat now = OGAS_TRY(inspect_regular_file(fd, path));
  if (now.st_size == before.st_size && now.st_mtim.tv_sec == before.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
    return {};
  return fail(ErrorCode::io, "'{}' was changed while it was in use: it has {} bytes, and had {} when it was opened",
              path.string(), now.st_size, before.st_size);
}

}  // namespace ogas
