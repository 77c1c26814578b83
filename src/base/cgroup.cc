#include "base/cgroup.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

namespace ogas {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return {};
  return line;
}

// "max" and what is not a number give nothing.
std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) return {};
  return value;
}

std::optional<double> number_in(const fs::path& path) {
  const auto line = first_line(path);
  return line ? number(*line) : std::nullopt;
}

// A field of memory.stat ("inactive_file 4096"); 0 where it is missing.
double memory_stat(const fs::path& folder, const std::string& field) {
  std::ifstream file(folder / "memory.stat");
  std::string key;
  double value = 0;
  while (file >> key >> value)
    if (key == field) return value;
  return 0;
}

// Visits the folders with a controller's files for this process, from its own group up to the root of the hierarchy. An
// empty controller means the unified hierarchy (v2). Inside a container /proc/self/cgroup may name a path the mount
// does not show; its existing ancestors are visited all the same.
void for_each_level(const std::string& controller, const std::function<void(const fs::path&)>& visit) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {  // hierarchy-id:controller,controller:/path
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    bool matches = controller.empty() && second == first + 1;
    for (std::string name; std::getline(controllers, name, ',');) matches |= !controller.empty() && name == controller;
    if (!matches) continue;
    const fs::path root = fs::path("/sys/fs/cgroup") / controller;
    const fs::path own = root / fs::path(line.substr(second + 1)).relative_path();
    for (fs::path folder = own;; folder = folder.parent_path()) {
      visit(folder);
      if (folder == root || folder.string().size() <= root.string().size()) break;
    }
  }
}

template <class T>
void keep_smallest(std::optional<T>& smallest, T value) {
  smallest = smallest ? std::min(*smallest, value) : value;
}

}  // namespace

std::optional<double> cgroup_cpu_quota() {
  std::optional<double> smallest;
  for_each_level("", [&](const fs::path& folder) {
    std::ifstream file(folder / "cpu.max");
    std::string quota;
    double period = 0;
    if (file >> quota >> period && number(quota) && period > 0) keep_smallest(smallest, *number(quota) / period);
  });
  for_each_level("cpu", [&](const fs::path& folder) {
    const auto quota = number_in(folder / "cpu.cfs_quota_us");
    const auto period = number_in(folder / "cpu.cfs_period_us");
    if (quota && period && *quota > 0 && *period > 0) keep_smallest(smallest, *quota / *period);
  });
  return smallest;
}

std::vector<fs::path> cgroup_memory_folders() {
  std::vector<fs::path> folders;
  for (const char* controller : {"", "memory"})
    for_each_level(controller, [&](const fs::path& folder) { folders.push_back(folder); });
  return folders;
}

std::optional<uint64_t> cgroup_memory_used(const fs::path& folder) {
  const auto without_cache = [&](const char* usage_file, const char* droppable_field) -> std::optional<uint64_t> {
    const auto usage = number_in(folder / usage_file);
    if (!usage) return {};
    return static_cast<uint64_t>(std::max(0.0, *usage - memory_stat(folder, droppable_field)));
  };
  if (const auto used = without_cache("memory.current", "inactive_file")) return used;
  return without_cache("memory.usage_in_bytes", "total_inactive_file");
}

std::optional<uint64_t> cgroup_memory_available() {
  constexpr double kNoLimit = 1e18;  // v1 writes "no limit" as a number near 2^63
  std::optional<uint64_t> smallest;
  for (const fs::path& folder : cgroup_memory_folders()) {
    for (const char* name : {"memory.high", "memory.max", "memory.limit_in_bytes"}) {
      const auto limit = number_in(folder / name);
      const auto used = limit && *limit < kNoLimit ? cgroup_memory_used(folder) : std::nullopt;
      if (used) keep_smallest(smallest, static_cast<uint64_t>(std::max(0.0, *limit - static_cast<double>(*used))));
    }
  }
  return smallest;
}

}  // namespace ogas
