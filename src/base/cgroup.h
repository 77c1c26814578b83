// The limits a container or service manager has put on this process: cgroup v2 and v1, all levels up to the root.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace ogas {

// CPU time the process may use, in CPUs (2.5 = two and a half): the smallest quota of all levels; empty if unlimited.
std::optional<double> cgroup_cpu_quota();

// Bytes the process's group may still use before it is killed or throttled: the smallest limit minus usage of all
// levels. Page cache that can be dropped counts as free. Empty if unlimited.
std::optional<uint64_t> cgroup_memory_available();

// Folders of the groups that limit this process's memory, from its own up to the root of the hierarchy.
std::vector<std::filesystem::path> cgroup_memory_folders();
// Bytes that such a group uses, without page cache that can be dropped; empty if the folder does not say.
std::optional<uint64_t> cgroup_memory_used(const std::filesystem::path& folder);

}  // namespace ogas
