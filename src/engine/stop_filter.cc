#include "engine/stop_filter.h"

#include <algorithm>
#include <utility>

namespace ogas {

StopFilter::StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) { std::erase(stops_, ""); }

std::string StopFilter::push(std::string_view text) {
  if (found_) return {};
  held_ += text;
  size_t cut = std::string::npos;
  for (const auto& stop : stops_) cut = std::min(cut, held_.find(stop));
  if (cut != std::string::npos) {
    found_ = true;
    return std::exchange(held_, "").substr(0, cut);
  }
  // Keep the longest tail that a stop string begins with.
  size_t n_keep = 0;
  for (const auto& stop : stops_)
    for (size_t n = std::min(held_.size(), stop.size() - 1); n > n_keep; --n)
      if (held_.ends_with(std::string_view(stop).substr(0, n))) n_keep = n;
  std::string certain = held_.substr(0, held_.size() - n_keep);
  held_.erase(0, certain.size());
  return certain;
}

std::string StopFilter::flush() { return std::exchange(held_, ""); }

}  // namespace ogas
