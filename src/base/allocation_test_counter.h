// Counts what a test program allocates with operator new on all threads, to check a bound on memory, or that code does
// not allocate.
//
// Replaces the global operators: include it in one source file of a program. Calls malloc, so a sanitizer still sees
// every block.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace ogas::test {

namespace allocation {
inline std::atomic<size_t> live = 0, peak = 0;  // bytes, as malloc rounds them
inline std::atomic<size_t> n_taken = 0;         // blocks

inline void* count(void* block) {
  ++n_taken;
  const size_t size = malloc_usable_size(block);
  const size_t now = live += size;
  size_t seen = peak;
  while (now > seen && !peak.compare_exchange_weak(seen, now)) continue;
  return block;
}
inline void* take(size_t size) { return count(std::malloc(std::max<size_t>(size, 1))); }
inline void* take(size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<size_t>(alignment);
  return count(std::aligned_alloc(unit, std::max<size_t>((size + unit - 1) / unit, 1) * unit));
}
inline void* or_throw(void* block) { return block ? block : throw std::bad_alloc(); }
inline void give_back(void* block) {
  live -= malloc_usable_size(block);
  std::free(block);
}
}  // namespace allocation

// The peak of allocated bytes, relative to the bytes allocated at construction.
class PeakAllocation {
 public:
  PeakAllocation() : before_(allocation::live) { allocation::peak = before_; }
  size_t bytes() const { return allocation::peak - before_; }

 private:
  size_t before_;
};

// The number of blocks allocated since construction.
class AllocationCount {
 public:
  size_t n() const { return allocation::n_taken - before_; }

 private:
  size_t before_ = allocation::n_taken;
};

}  // namespace ogas::test

// NOLINTBEGIN(misc-definitions-in-headers)
namespace ogas_allocation = ogas::test::allocation;
void* operator new(size_t size) { return ogas_allocation::or_throw(ogas_allocation::take(size)); }
void* operator new[](size_t size) { return ogas_allocation::or_throw(ogas_allocation::take(size)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return ogas_allocation::take(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return ogas_allocation::take(size); }
void* operator new(size_t size, std::align_val_t alignment) {
  return ogas_allocation::or_throw(ogas_allocation::take(size, alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return ogas_allocation::or_throw(ogas_allocation::take(size, alignment));
}
void operator delete(void* block) noexcept { ogas_allocation::give_back(block); }
void operator delete[](void* block) noexcept { ogas_allocation::give_back(block); }
void operator delete(void* block, size_t) noexcept { ogas_allocation::give_back(block); }
void operator delete[](void* block, size_t) noexcept { ogas_allocation::give_back(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { ogas_allocation::give_back(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { ogas_allocation::give_back(block); }
void operator delete(void* block, std::align_val_t) noexcept { ogas_allocation::give_back(block); }
void operator delete[](void* block, std::align_val_t) noexcept { ogas_allocation::give_back(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { ogas_allocation::give_back(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { ogas_allocation::give_back(block); }
// NOLINTEND(misc-definitions-in-headers)
