// Text of protocols and of what people type, of which ASCII alone matters.
#pragma once

#include <string>
#include <string_view>

namespace ogas {

// Letters A to Z in lower case; all other bytes as they are, whatever the locale.
std::string lower_ascii(std::string_view text);

// Without blanks, tabs and line ends at both ends.
std::string_view trim_blank(std::string_view text);

// Whether a host, as URLs and Host headers write it but without its port, is this machine itself by its name or number
// alone: nothing is looked up. "127.example.com" is not.
bool is_loopback(std::string_view host);

}  // namespace ogas
