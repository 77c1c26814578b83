// A set of bytes.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ogas::grammar {

class ByteSet {
 public:
  static ByteSet range(uint8_t first, uint8_t last) {
    ByteSet set;
    for (unsigned byte = first; byte <= last; ++byte) set.add(static_cast<uint8_t>(byte));
    return set;
  }
  static ByteSet of(std::initializer_list<char> bytes) {
    ByteSet set;
    for (const char byte : bytes) set.add(static_cast<uint8_t>(byte));
    return set;
  }

  void add(uint8_t byte) { words_[byte >> 6] |= uint64_t{1} << (byte & 63); }
  bool has(uint8_t byte) const { return (words_[byte >> 6] >> (byte & 63)) & 1; }
  bool empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  int count() const {
    int sum = 0;
    for (const uint64_t word : words_) sum += std::popcount(word);
    return sum;
  }
  // The smallest byte; of a set that is not empty.
  uint8_t first() const {
    size_t idx = 0;
    while (words_[idx] == 0) ++idx;
    return static_cast<uint8_t>(idx * 64 + static_cast<size_t>(std::countr_zero(words_[idx])));
  }
  template <class Use>
  void for_each(const Use& use) const {
    for (size_t idx = 0; idx < 4; ++idx)
      for (uint64_t rest = words_[idx]; rest != 0; rest &= rest - 1)
        use(static_cast<uint8_t>(idx * 64 + static_cast<size_t>(std::countr_zero(rest))));
  }
  uint64_t word(size_t idx) const { return words_[idx]; }

  ByteSet operator|(const ByteSet& other) const {
    ByteSet result;
    for (size_t idx = 0; idx < 4; ++idx) result.words_[idx] = words_[idx] | other.words_[idx];
    return result;
  }
  ByteSet operator&(const ByteSet& other) const {
    ByteSet result;
    for (size_t idx = 0; idx < 4; ++idx) result.words_[idx] = words_[idx] & other.words_[idx];
    return result;
  }
  ByteSet operator~() const {
    ByteSet result;
    for (size_t idx = 0; idx < 4; ++idx) result.words_[idx] = ~words_[idx];
    return result;
  }
  bool operator==(const ByteSet&) const = default;

 private:
  std::array<uint64_t, 4> words_ = {};
};

}  // namespace ogas::grammar
