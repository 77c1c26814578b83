// Which endpoint answers a request: the one list of methods and paths.
#pragma once

#include <span>
#include <string_view>

#include "server/api.h"

namespace ogas::server {

struct Route {
  std::string_view method, path;  // a path that ends with "/" stands for all that begin with it
  Endpoint endpoint;
  bool needs_key = true, computes = false;  // counts against a client's requests
};

std::span<const Route> routes();

// The route of a request. Errors: 404; 405 with the methods that are served there.
ApiResult<const Route*> find_route(std::string_view method, std::string_view path);

}  // namespace ogas::server
