// Server-sent events (WHATWG HTML, 9.2) out of bytes as they come; what is hostile in them is bounded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"

namespace ogas::client {

class EventStream {
 public:
  // Called with the data of each event that has any; false: no more is wanted.
  using TakeEvent = FunctionRef<Result<bool>(std::string_view data)>;

  // max_bytes: of one event, its longest line included.
  explicit EventStream(size_t max_bytes) : max_bytes_(max_bytes) {}
  // Returns whether more is wanted. Errors: io (an event of more than max_bytes), and those of `take`.
  Result<bool> push(std::string_view bytes, TakeEvent take);

 private:
  Result<bool> end_line(TakeEvent take);

  size_t max_bytes_;
  std::string line_, data_;
  bool has_data_ = false, after_return_ = false, is_first_line_ = true;
};

}  // namespace ogas::client
