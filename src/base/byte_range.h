// A stretch of a text, in bytes.
#pragma once

#include <cstddef>

namespace ogas {

struct ByteRange {
  size_t begin, end;  // end is one past the last

  bool operator==(const ByteRange&) const = default;
};

}  // namespace ogas
