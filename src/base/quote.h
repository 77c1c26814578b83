// Bytes from outside, made fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace ogas {

// In single quotes, at most 80 bytes of it; what is not printable ASCII comes as \\xNN.
std::string in_quotes(std::string_view text);

}  // namespace ogas
