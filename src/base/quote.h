// Bytes from outside, made fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace ogas {

// In single quotes, at most 80 bytes of it. Characters that can be seen stay as they are; bytes of others (control
// characters, what has no width or turns the direction of writing) and bytes that are no UTF-8 come as \xNN.
std::string in_quotes(std::string_view text);

}  // namespace ogas
