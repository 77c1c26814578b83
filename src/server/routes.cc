#include "server/routes.h"

#include <fmt/format.h>

#include "base/quote.h"
#include "server/endpoints/endpoints.h"

namespace ogas::server {
namespace {

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions", chat_completions, true, true},
    {"POST", "/v1/completions", completions, true, true},
    {"POST", "/v1/responses", responses, true, true},
    {"POST", "/v1/embeddings", embeddings, true, true},
    {"POST", "/v1/messages", create_message, true, true},
    {"POST", "/v1/messages/count_tokens", count_message_tokens},
    {"GET", "/v1/models", list_models},
    {"GET", "/v1/models/", show_model},
    {"POST", "/api/chat", ollama_chat, true, true},
    {"POST", "/api/generate", ollama_generate, true, true},
    {"GET", "/api/tags", ollama_tags},
    {"GET", "/api/ps", ollama_ps},
    {"POST", "/api/show", ollama_show},
    {"GET", "/api/version", ollama_version},
    {"POST", "/tokenize", tokenize},
    {"POST", "/detokenize", detokenize},
    {"GET", "/tokenizer_info", tokenizer_info},
    {"GET", "/health", health, false},
    {"GET", "/ready", ready, false},
    {"GET", "/metrics", metrics},
    {"GET", "/openapi.json", openapi, false},
};

bool is_at(const Route& route, std::string_view path) {
  return route.path.ends_with('/') ? path.size() > route.path.size() && path.starts_with(route.path)
                                   : path == route.path;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

ApiResult<const Route*> find_route(std::string_view method, std::string_view path) {
  if (method == "HEAD") method = "GET";
  std::string_view allowed;
  for (const Route& route : kRoutes)
    if (is_at(route, path)) {
      if (route.method == method) return &route;
      allowed = route.method;
    }
  if (!allowed.empty()) {
    ApiError error(405, fmt::format("{} takes {}, not {}", path, allowed, method));
    error.headers.emplace_back("Allow", allowed == "GET" ? "GET, HEAD" : allowed);
    return std::unexpected(error);
  }
  return std::unexpected(
      ApiError(404, fmt::format("there is no endpoint {}; /openapi.json lists all", in_quotes(path))));
}

}  // namespace ogas::server
