// What a request is answered with where it is not what we serve, in OpenAI's shape.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/http_message.h"

namespace ogas::server {

struct ApiError {
  ApiError(unsigned http_status, std::string text, std::string path = {}, std::string_view name = {})
      : status(http_status), message(std::move(text)), param(std::move(path)), code(name) {}
  // An engine's.
  ApiError(const Error& error);  // NOLINT(google-explicit-constructor): so that OGAS_TRY passes it on

  // {"error": {"message", "type", "param", "code"}}
  std::string json() const;

  unsigned status;      // of HTTP
  std::string message;  // for a person
  std::string param;    // the field's path: "messages[0].content"; may be empty
  std::string code;     // for a program: "context_length_exceeded"; may be empty
  Headers headers;      // "Retry-After", "Allow"
};

template <class T = void>
using ApiResult = std::expected<T, ApiError>;

// return refuse("messages[0].role", "...", what);
template <class... Args>
std::unexpected<ApiError> refuse(std::string_view path, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(ApiError(400, fmt::format(format, std::forward<Args>(args)...), std::string(path)));
}

}  // namespace ogas::server

namespace ogas::detail {
template <class T>
T unwrap(server::ApiResult<T>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
}  // namespace ogas::detail
