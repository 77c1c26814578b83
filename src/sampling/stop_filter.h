// Finds stop strings in text that arrives in pieces, and holds back what may turn out to be the start of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogas {

class StopFilter {
 public:
  // Empty strings are ignored.
  explicit StopFilter(std::vector<std::string> stops);

  // Adds text; returns what can be shown for certain, valid until the next call. After a stop string was found nothing
  // more comes out.
  std::string_view push(std::string_view text);
  // What was held back, at the end of an answer that no stop string ended. Valid until the next call.
  std::string_view flush();
  bool found() const { return found_; }
  // The one that was found; "" while none was. Of several that begin at one position the first in the list.
  const std::string& stop() const { return stop_; }

 private:
  std::string_view show(size_t n);

  std::vector<std::string> stops_;
  std::string held_;
  size_t n_shown_ = 0;  // of held_, by the last call
  bool found_ = false;
  std::string stop_;
};

}  // namespace ogas
