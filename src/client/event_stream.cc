#include "client/event_stream.h"

#include <algorithm>

namespace ogas::client {

Result<bool> EventStream::push(std::string_view bytes, TakeEvent take) {
  while (!bytes.empty()) {
    // A line ends with \n, \r or \r\n.
    if (after_return_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_return_ = false;
    const size_t length = std::min(bytes.find_first_of("\r\n"), bytes.size());
    if (line_.size() + data_.size() + length > max_bytes_)
      return fail(ErrorCode::io, "an event of more than {} bytes", max_bytes_);
    line_ += bytes.substr(0, length);
    bytes.remove_prefix(length);
    if (bytes.empty()) break;
    after_return_ = bytes.front() == '\r';
    bytes.remove_prefix(1);
    if (!OGAS_TRY(end_line(take))) return false;
  }
  return true;
}

Result<bool> EventStream::end_line(TakeEvent take) {
  std::string_view line = line_;
  if (is_first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  is_first_line_ = false;
  bool wants_more = true;
  if (line.empty()) {
    if (has_data_) wants_more = OGAS_TRY(take(data_));
    data_.clear();
    has_data_ = false;
  } else if (line == "data" || line.starts_with("data:")) {
    line.remove_prefix(std::min<size_t>(line.size(), 5));
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (has_data_) data_ += '\n';
    data_ += line;
    has_data_ = true;
  }
  line_.clear();
  return wants_more;
}

}  // namespace ogas::client
