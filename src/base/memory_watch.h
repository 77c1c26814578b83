// Whether the limits on this process's memory are lowered or raised while it runs (memory cgroups, v2 and v1).
//
// What a lower limit means to the kernel: v2's memory.high slows down whoever goes beyond it, and leaves time to give
// memory back. v2's memory.max takes back what it can and then kills at once: whoever wants a process to follow sets
// memory.high first. v1's memory.limit_in_bytes is refused (EBUSY) where that much cannot be taken back at once;
// memory.soft_limit_in_bytes is not, and a change of it says the same as memory.high. Its value at the start says
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
  // Notes the limits of this process's groups, and what these use, as they are now.
  MemoryWatch();
  // The same of groups whose files lie in these folders.
  explicit MemoryWatch(std::span<const std::filesystem::path> folders);

  struct Allowance {
    uint64_t limit;    // bytes: the limit that leaves least,
    uint64_t n_bytes;  // and what it leaves for all that was taken since the start
  };
  // By the limits that are lower now than they were at the start; none: there is no such limit. Reads a small file for
  // each limit and takes nothing from the heap.
  std::optional<Allowance> look() const;

 private:
  struct Limit {
    std::string file;
    uint64_t at_start, used;  // bytes
  };
  std::vector<Limit> limits_;
};

}  // namespace ogas
