// Untrusted bytes, made safe for a message.
#pragma once

#include <string>
#include <string_view>

namespace ogas {

// In single quotes, at most 80 bytes of it. Visible characters stay as they are. Bytes of others (control characters,
// zero-width characters, changes of writing direction) and bytes that are not valid UTF-8 become \xNN.
std::string in_quotes(std::string_view text);

}  // namespace ogas
