// Text of protocols and of user input, where only ASCII matters.
#pragma once

#include <string>
#include <string_view>

namespace ogas {

// Letters A to Z in lower case; all other bytes unchanged, in any locale.
std::string lower_ascii(std::string_view text);

// Without blanks, tabs and line ends at both ends.
std::string_view trim_blank(std::string_view text);

// Whether a host, as in URLs and Host headers but without its port, is this machine. Only its spelling is judged;
// nothing is looked up. "127.example.com" is not loopback.
bool is_loopback(std::string_view host);

}  // namespace ogas
