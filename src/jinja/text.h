// A string that remembers which of its bytes came from outside (messages, tools, documents) and not from the template.
//
// Whatever a template does to a string, the marks go along: an operation that keeps no track of single characters marks
// all it makes. So what a user typed can be kept from being read as a special token, wherever it ends up.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_range.h"

namespace ogas::jinja {

class Text {
 public:
  Text() = default;
  Text(std::string bytes, bool is_input = false) : bytes_(std::move(bytes)) {
    if (is_input && !bytes_.empty()) input_.push_back({0, bytes_.size()});
  }

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  // What came from outside: in order, never empty, never touching.
  const std::vector<ByteRange>& input() const { return input_; }
  bool has_input() const { return !input_.empty(); }

  // Bytes of memory it holds.
  size_t footprint() const { return bytes_.capacity() + input_.capacity() * sizeof(ByteRange); }
  size_t capacity() const { return bytes_.capacity(); }
  void reserve(size_t n) { bytes_.reserve(n); }

  void append(std::string_view bytes, bool is_input = false) {
    if (is_input) mark(bytes_.size(), bytes_.size() + bytes.size());
    bytes_ += bytes;
  }
  void append(const std::string& bytes) { append(std::string_view(bytes)); }
  void append(const char* bytes) { append(std::string_view(bytes)); }
  void append(const Text& text) { append(text, 0, text.size()); }
  void append(const Text& text, size_t begin, size_t n) {
    const size_t shift = bytes_.size();
    const size_t end = begin + n;
    for (const ByteRange& range : text.input_)
      if (range.begin < end && range.end > begin)
        mark(std::max(range.begin, begin) - begin + shift, std::min(range.end, end) - begin + shift);
    bytes_.append(text.bytes_, begin, n);
  }
  Text slice(size_t begin, size_t n) const {
    Text part;
    part.append(*this, begin, n);
    return part;
  }

  // visit(bytes, is_input) for each stretch of one kind, in order.
  template <class Visit>
  void for_each_run(const Visit& visit) const {
    size_t at = 0;
    for (const ByteRange& range : input_) {
      if (range.begin > at) visit(std::string_view(bytes_).substr(at, range.begin - at), false);
      visit(std::string_view(bytes_).substr(range.begin, range.end - range.begin), true);
      at = range.end;
    }
    if (at < bytes_.size()) visit(std::string_view(bytes_).substr(at), false);
  }
  // The text with each stretch changed by change(string_view) -> string.
  template <class Change>
  Text mapped(const Change& change) const {
    Text result;
    for_each_run([&](std::string_view run, bool is_input) { result.append(change(run), is_input); });
    return result;
  }

 private:
  void mark(size_t begin, size_t end) {
    if (begin == end) return;
    if (!input_.empty() && input_.back().end == begin)
      input_.back().end = end;
    else
      input_.push_back({begin, end});
  }

  std::string bytes_;
  std::vector<ByteRange> input_;
};

}  // namespace ogas::jinja
