// Memory of the machine and of this process, and buffers aligned for vector code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace ogas {

// Bytes a program may still take without swapping: what the kernel calls available, within the cgroup's limit.
uint64_t available_memory();
// Bytes this process holds in memory (resident set, mapped files included).
uint64_t current_memory();
// The most this process has held in memory so far (resident set, mapped files included), in bytes.
uint64_t peak_memory();
// Gives what has been freed back to the system, where the allocator can: worth it after reading something large.
void return_freed_memory();
// From here on large blocks go back to the system when they are freed. Call once at start of a program.
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

  // Gives the memory from this byte on back to the system, whole pages of it; what is read there next is zeros.
  void release_from(size_t offset) const;
  // Fewer, larger pages where the system has them, for what is read from end to end.
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
