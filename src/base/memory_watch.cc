#include "base/memory_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/cgroup.h"
#include "base/file_descriptor.h"

namespace ogas {
namespace {

constexpr uint64_t kUnlimited = UINT64_MAX;

// A file's number. "max" is unlimited, and so are what cannot be read and v1's "no limit", a number near 2^63.
uint64_t limit_in(const std::string& file) {
  constexpr uint64_t kNoLimit = uint64_t{1} << 60;
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text;
  const ssize_t n = fd.get() < 0 ? -1 : ::read(fd.get(), text.data(), text.size());
  uint64_t value = kUnlimited;
  if (n > 0 && std::from_chars(text.data(), text.data() + n, value).ec != std::errc()) return kUnlimited;
  return value < kNoLimit ? value : kUnlimited;
}

}  // namespace

MemoryWatch::MemoryWatch() : MemoryWatch(cgroup_memory_folders()) {}

MemoryWatch::MemoryWatch(std::span<const std::filesystem::path> folders) {
  for (const std::filesystem::path& folder : folders) {
    for (const char* name : {"memory.high", "memory.max", "memory.soft_limit_in_bytes", "memory.limit_in_bytes"}) {
      std::error_code ignored;
      const std::filesystem::path file = folder / name;
      if (std::filesystem::exists(file, ignored))
        limits_.push_back({.file = file, .at_start = limit_in(file), .used = cgroup_memory_used(folder).value_or(0)});
    }
  }
}

std::optional<MemoryWatch::Allowance> MemoryWatch::look() const {
  std::optional<Allowance> min;
  for (const Limit& limit : limits_) {
    const uint64_t now = limit_in(limit.file);
    if (now >= limit.at_start) continue;
    const uint64_t left = now > limit.used ? now - limit.used : 0;
    if (!min || left < min->n_bytes) min = {.limit = now, .n_bytes = left};
  }
  return min;
}

}  // namespace ogas
