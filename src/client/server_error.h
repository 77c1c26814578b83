// What a server says of its own failures, fit for one line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ogas::client {

// One line of at most some hundred bytes: white space as single blanks, and no other control characters of ASCII.
std::string one_line(std::string_view text);

// The message of {"error": {"message": ...}}, {"error": ...}, {"message": ...} or {"detail": ...}; else the text
// itself, but for pages of HTML. Empty where there is nothing to say.
std::string message_in(std::string_view body);

// An object's member where it is a string; else empty.
std::string text_member(const nlohmann::json& object, const char* name);

// Of a reply whose status is not a success: "URL: status 401: message". Codes: unavailable (408, 429, 503), usage (400,
// 413, 422), io for all others.
Error error_of_status(std::string_view url, long status, std::string_view body);

}  // namespace ogas::client
