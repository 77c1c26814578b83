#include "server/http/api_error.h"

#include <nlohmann/json.hpp>

namespace ogas::server {
namespace {

unsigned status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
    case ErrorCode::bad_file:  // a chat template that fails on this conversation
    case ErrorCode::unsupported: return 400;
    case ErrorCode::not_found: return 404;
    case ErrorCode::unavailable: return 503;
    case ErrorCode::out_of_memory: return 503;
    case ErrorCode::cancelled: return 503;
    case ErrorCode::io: return 500;
  }
  return 500;
}

std::string_view type_of(unsigned status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
  }
}

}  // namespace

ApiError::ApiError(const Error& error) : status(status_of(error.code)), message(error.message) {
  if (status == 503) headers.emplace_back("Retry-After", "1");
}

std::string ApiError::json() const {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
  };
  const nlohmann::ordered_json body = {
      {"error", {{"message", message}, {"type", type_of(status)}, {"param", or_null(param)}, {"code", or_null(code)}}}};
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ogas::server
