// Many strings in one block of memory: a vocabulary of 150,000 tokens is two allocations instead of 150,000.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace ogas {

class StringList {
 public:
  using value_type = std::string_view;

  StringList() = default;
  StringList(std::initializer_list<std::string_view> strings) {
    for (const std::string_view string : strings) push_back(string);
  }

  void reserve(size_t n_strings, size_t n_bytes) {
    ends_.reserve(n_strings);
    bytes_.reserve(n_bytes);
  }
  void push_back(std::string_view string) {
    OGAS_CHECK(bytes_.size() + string.size() <= UINT32_MAX, "more than 4 GiB of strings");
    bytes_ += string;
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  std::string_view operator[](size_t idx) const {
    const size_t begin = idx == 0 ? 0 : ends_[idx - 1];
    return {bytes_.data() + begin, ends_[idx] - begin};
  }

  class const_iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;
    const_iterator() = default;
    const_iterator(const StringList* list, size_t idx) : list_(list), idx_(idx) {}
    std::string_view operator*() const { return (*list_)[idx_]; }
    const_iterator& operator++() { return ++idx_, *this; }
    const_iterator operator++(int) { return {list_, idx_++}; }
    bool operator==(const const_iterator& other) const { return idx_ == other.idx_; }

   private:
    const StringList* list_ = nullptr;
    size_t idx_ = 0;
  };
  using iterator = const_iterator;
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size()}; }

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_;  // a vocabulary stays far below 4 GiB
};

}  // namespace ogas
