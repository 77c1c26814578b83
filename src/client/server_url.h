// Where a server is, as a person writes it: "localhost:8080", "https://api.example.com/v1".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace ogas::client {

struct ServerUrl {
  std::string root;         // "http://localhost:8080": the base of /metrics and /health
  std::string api;          // "http://localhost:8080/v1": the base of /chat/completions
  bool is_private = false;  // nobody between can read along: TLS, or this machine itself
};

// http where no scheme is given, and /v1 where the path has no part that is a version. Errors: usage (no URL, another
// scheme than http or https, a user or a password, a query or a fragment).
Result<ServerUrl> parse_server_url(std::string_view text);

}  // namespace ogas::client
