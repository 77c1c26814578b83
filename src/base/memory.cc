#include "base/memory.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/cgroup.h"
#include "base/check.h"

namespace ogas {

uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::string unit;
  uint64_t kibibytes = 0;
  uint64_t available = UINT64_MAX;
  while (file >> key >> kibibytes && std::getline(file, unit))
    if (key == "MemAvailable:") available = kibibytes * 1024;
  if (const auto limit = cgroup_memory_available()) available = std::min(available, *limit);
  return available;
}

uint64_t current_memory() {
  std::ifstream file("/proc/self/statm");
  uint64_t n_pages = 0, n_resident = 0;
  file >> n_pages >> n_resident;
  return n_resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

void keep_heap_small() {
#ifdef __GLIBC__
  // By default glibc raises this threshold with every large block that is freed, and then keeps such blocks.
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 10);
#endif
}

void return_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

std::string format_bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  size_t unit_idx = 0;
  while (value >= 999.5 && unit_idx + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit_idx;
  }
  const int decimals = unit_idx == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits[unit_idx]);
}

PageBuffer::PageBuffer(size_t size) : size_(size) {
  if (size == 0) return;
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  OGAS_CHECK(data != MAP_FAILED, "cannot reserve {}", format_bytes(size));
  data_ = static_cast<std::byte*>(data);
}

PageBuffer::~PageBuffer() {
  if (data_) ::munmap(data_, size_);
}

void PageBuffer::release(size_t offset, size_t n) const {
  check_range(offset, n);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  // The last page belongs to the buffer as a whole.
  const size_t begin = (offset + page - 1) / page * page,
               end = offset + n == size_ ? size_ : (offset + n) / page * page;
  if (begin < end) ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

void PageBuffer::prefer_huge_pages() const {
#ifdef MADV_HUGEPAGE
  if (data_) ::madvise(data_, size_, MADV_HUGEPAGE);
#endif
}

void PageBuffer::check_range(size_t offset, size_t n_bytes) const {
  OGAS_CHECK(offset <= size_ && n_bytes <= size_ - offset, "{} bytes at {} of a buffer of {}", n_bytes, offset, size_);
}

}  // namespace ogas
