// Memory of the machine and of this process, and buffers aligned for vector code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace ogas {

// Bytes a program may still allocate without swapping: the kernel's MemAvailable, within the cgroup's limit.
uint64_t available_memory();
// Bytes this process holds in memory (resident set, mapped files included).
uint64_t current_memory();
// The peak resident set of this process so far (mapped files included), in bytes.
uint64_t peak_memory();
// Returns freed memory to the system if the allocator can: worth calling after reading something large.
void return_freed_memory();
// From now on large blocks are returned to the system when they are freed. Call once at program start.
void keep_heap_small();
// "1.84 GB", "47.2 MB": decimal units, three digits.
std::string format_bytes(uint64_t bytes);

// Zeroed anonymous memory in whole pages: costs nothing until touched. Aborts if the address space is exhausted.
class PageBuffer {
 public:
  PageBuffer() = default;
  explicit PageBuffer(size_t size);
  PageBuffer(PageBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~PageBuffer();

  // Returns whole pages from this byte on, or within n bytes from it on, to the system; they read as zeros afterwards.
  void release_from(size_t offset) const { release(offset, size_ - offset); }
  void release(size_t offset, size_t n) const;
  // Asks for huge pages, for memory that is read sequentially.
  void prefer_huge_pages() const;
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  // The buffer as n values of T from a byte offset; checked against its size.
  template <class T>
  std::span<T> as(size_t offset, size_t n) const {
    check_range(offset, n * sizeof(T));
    return {reinterpret_cast<T*>(data_ + offset), n};
  }

 private:
  void check_range(size_t offset, size_t n_bytes) const;

  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ogas
