#include "client/server_error.h"

namespace ogas::client {

std::string one_line(std::string_view text) {
  constexpr size_t kMax = 500;
  std::string line;
  bool blank = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F) {
      blank = !line.empty();
      continue;
    }
    // Not within a character of several bytes.
    if (line.size() >= kMax && (byte & 0xC0) != 0x80) return line + "...";
    if (line.size() >= kMax + 4) return line + "...";
    if (blank) line += ' ';
    blank = false;
    line += c;
  }
  return line;
}

std::string text_member(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string message_in(std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) {
    const auto error = json.find("error");
    if (error != json.end())
      if (const std::string text = text_member(*error, "message"); !text.empty()) return one_line(text);
    for (const char* name : {"error", "message", "detail"})
      if (const std::string text = text_member(json, name); !text.empty()) return one_line(text);
  }
  const std::string line = one_line(body);
  return line.starts_with('<') ? "a page of HTML" : line;
}

Error error_of_status(std::string_view url, long status, std::string_view body) {
  const ErrorCode code = status == 408 || status == 429 || status == 503   ? ErrorCode::unavailable
                         : status == 400 || status == 413 || status == 422 ? ErrorCode::usage
                                                                           : ErrorCode::io;
  const std::string message = message_in(body);
  return {code, fmt::format("{}: status {}{}{}", url, status, message.empty() ? "" : ": ", message)};
}

}  // namespace ogas::client
