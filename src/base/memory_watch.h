// Whether the limits on this process's memory are lowered or raised while it runs (memory cgroups, v2 and v1).
//
// What a lower limit means to the kernel: v2's memory.high throttles a group above it, which leaves time to release
// memory. v2's memory.max reclaims what it can and then kills at once, so set memory.high first for a process to
// follow. v1's memory.limit_in_bytes is refused (EBUSY) if that much cannot be reclaimed at once;
// memory.soft_limit_in_bytes is not, and a change of it means the same as memory.high. Its value at the start means
// nothing: container services use it for what is reserved, not for what is allowed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ogas {

class MemoryWatch {
 public:
  // Records the current limits and usage of this process's groups.
  MemoryWatch();
  // The same for groups whose files are in these folders.
  explicit MemoryWatch(std::span<const std::filesystem::path> folders);

  struct Allowance {
    uint64_t limit;    // bytes: the tightest limit,
    uint64_t n_bytes;  // and what it leaves for memory allocated since the start
  };
  // From the limits that are lower now than at the start; none: there is no such limit. Reads a small file per limit
  // and does not allocate.
  std::optional<Allowance> look() const;

 private:
  struct Limit {
    std::string file;
    uint64_t at_start, used;  // bytes
  };
  std::vector<Limit> limits_;
};

}  // namespace ogas
