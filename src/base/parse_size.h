// A number of bytes, with a unit or without.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace ogas {

// "800M", "4G", "1.5GiB": units are powers of 1000, and those with an i powers of 1024; letters of any case. name: what
// the size is of; it begins the message. Errors: usage.
Result<uint64_t> parse_size(std::string_view name, std::string_view text);

}  // namespace ogas
