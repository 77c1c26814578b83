// Files: read-only memory maps, whole reads, and writes that are either complete or absent.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace ogas {

using Bytes = std::span<const std::byte>;

// A read-only, private mapping of a whole regular file. Move-only; unmapped on destruction. The bytes are whatever the
// file holds: untrusted. A file truncated by someone else while mapped raises SIGBUS, as with every memory map; use
// read() where that must not happen. The file stays open.
class MappedFile {
 public:
  // Errors: not_found, io (not a regular file, no permission).
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  Bytes bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  bool holds(Bytes part) const { return part.data() >= data_ && part.data() + part.size() <= data_ + size_; }

  // Reads this part into memory now. Errors: io, if the disk fails (which later would be a SIGBUS).
  Result<> populate(Bytes part) const;
  // Copies this part with pread(), through the page cache, from any thread. Errors: io, naming file and offset: the
  // disk failed, or the file ends too early.
  Result<> read(Bytes part, std::span<std::byte> into) const;
  // Checks that the file is unchanged since it was opened. Errors: io, if it was truncated or written to.
  Result<> check_unchanged() const { return ogas::check_unchanged(fd_, path_, status_); }
  // Releases the memory of the pages within this part; they are read again on the next access.
  void release(Bytes part) const;
  // Drops the file's pages from the page cache.
  void drop_from_page_cache() const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::filesystem::path path_;
  FileDescriptor fd_;
  struct stat status_ = {};
};

// The whole file as bytes in a string. Errors: not_found, io, and bad_file if it is larger than max_bytes.
Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes = size_t{1} << 30);

// When written data survives a loss of power: on return, or once the system has written it back, which takes about half
// a minute. Until then the file may be truncated after a crash.
enum class Durability { at_once, when_written_back };

// Writes a temporary file in the same folder and renames it over the target, so a reader sees the old file or the new
// one, never half of either.
Result<> write_file_atomically(const std::filesystem::path& path, std::span<const Bytes> parts,
                               Durability durability = Durability::at_once);
Result<> write_file_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace ogas
