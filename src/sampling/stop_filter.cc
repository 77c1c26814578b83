#include "sampling/stop_filter.h"

#include <algorithm>
#include <utility>

namespace ogas {

StopFilter::StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, "");
  size_t n_held = 0;
  for (const auto& stop : stops_) n_held = std::max(n_held, stop.size());
  constexpr size_t kUsualBytes = 256;  // of a token, as for StreamDecoder
  held_.reserve(n_held + kUsualBytes);
}

// The first n bytes, which the next call drops.
std::string_view StopFilter::show(size_t n) {
  n_shown_ = n;
  return std::string_view(held_).substr(0, n);
}

std::string_view StopFilter::push(std::string_view text) {
  held_.erase(0, n_shown_);
  n_shown_ = 0;
  if (found_) return {};
  held_ += text;
  size_t cut = std::string::npos;
  const std::string* found = nullptr;
  for (const auto& stop : stops_)
    if (const size_t begin = held_.find(stop); begin < cut) {
      cut = begin;
      found = &stop;
    }
  if (found) {
    found_ = true;
    stop_ = *found;
    held_.resize(cut);
    return show(cut);
  }
  // Keep the longest tail that a stop string begins with.
  size_t n_keep = 0;
  for (const auto& stop : stops_)
    for (size_t n = std::min(held_.size(), stop.size() - 1); n > n_keep; --n)
      if (held_.ends_with(std::string_view(stop).substr(0, n))) n_keep = n;
  return show(held_.size() - n_keep);
}

std::string_view StopFilter::flush() {
  held_.erase(0, n_shown_);
  return show(held_.size());
}

}  // namespace ogas
