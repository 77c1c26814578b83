// Finds marks in text that arrives byte by byte. No mark may begin with another.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ogas {

class MarkFinder {
 public:
  // Empty marks are never found.
  explicit MarkFinder(std::vector<std::string> marks) : marks_(std::move(marks)) {}

  struct Found {
    std::string_view text;       // that is part of no mark; valid until the next call
    std::optional<size_t> mark;  // which mark ended with this byte, after the text
  };
  Found push(char c) {
    forget_shown();
    held_ += c;
    for (; n_shown_ < held_.size(); ++n_shown_) {
      const std::string_view rest = std::string_view(held_).substr(n_shown_);
      const auto begun = std::ranges::find_if(marks_, [&](const auto& mark) { return mark.starts_with(rest); });
      if (begun == marks_.end()) continue;
      if (begun->size() > rest.size()) break;
      const size_t n_text = std::exchange(n_shown_, held_.size());
      return {std::string_view(held_).substr(0, n_text), static_cast<size_t>(begun - marks_.begin())};
    }
    return {std::string_view(held_).substr(0, n_shown_), std::nullopt};
  }

  // What was held back, at the end of the text. Valid until the next call.
  std::string_view flush() {
    forget_shown();
    n_shown_ = held_.size();
    return held_;
  }

  const std::string& mark(size_t idx) const { return marks_[idx]; }

 private:
  void forget_shown() { held_.erase(0, std::exchange(n_shown_, 0)); }

  std::vector<std::string> marks_;
  std::string held_;
  size_t n_shown_ = 0;  // of held_, by the last call
};

}  // namespace ogas
