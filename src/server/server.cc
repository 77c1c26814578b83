#include "server/server.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/log.h"
#include "base/quote.h"
#include "server/endpoints/endpoints.h"
#include "server/routes.h"

namespace ogas::server {
namespace {

// The names of headers that a preflight asks for, where they are names (RFC 9110: tokens): what is echoed must not be
// able to end a header.
bool is_list_of_names(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~, ";
  constexpr size_t kLongest = 4096;
  return text.size() <= kLongest && std::ranges::all_of(text, [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kOthers.contains(c);
         });
}

// Of programs with a window of their own (Electron, Tauri, editors): no page of the web can have such an origin, so
// that nothing is protected by refusing it. "null" is what any page can make itself be.
bool is_of_a_program(std::string_view origin) {
  constexpr std::string_view kSchemes[] = {"app://", "file://", "tauri://", "vscode-webview://", "vscode-file://"};
  return std::ranges::any_of(kSchemes, [&](std::string_view scheme) { return origin.starts_with(scheme); });
}

// "localhost" of "localhost:8080", "::1" of "[::1]:8080".
std::string_view name_of_host(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

bool is_anthropic(std::string_view path) { return path == "/v1/messages" || path.starts_with("/v1/messages/"); }

// As the API writes them that has this path.
ErrorReply error_reply_at(std::string_view path) {
  if (path.starts_with("/api/")) return ollama_reply_of;
  return is_anthropic(path) ? anthropic_reply_of : reply_of;
}

// Of the API that has this path. Anthropic's clients look for the request's id under this name.
void add_own_headers(const HttpRequest& request, Headers& headers) {
  if (is_anthropic(request.path)) headers.emplace_back("Request-Id", request.id);
}

class HttpApi final : public Server {
 public:
  HttpApi(Engine& engine, ServerOptions options, std::unique_ptr<ApiKeys> keys)
      : options_(std::move(options)),
        keys_(std::move(keys)),
        api_(engine, engine_thread_, *keys_, options_.api),
        engine_thread_(engine, options_.scheduler) {}

  Result<> listen() {
    HttpHandlers handlers{
        .check = [this](const HttpRequest& request) { return check(request); },
        .refuse = [this](const ApiError& error, const HttpRequest& request) { return refusal(error, request); },
        .handle = [this](HttpRequest request,
                         HttpExchangePtr exchange) { handle(std::move(request), std::move(exchange)); },
        .log = [this](const HttpRecord& record) { log(record); },
        .hang_up = [this] { reload_keys(); },
        .drain = [this] { api_.draining = true; }};
    http_ = OGAS_TRY(HttpServer::listen(options_.http, std::move(handlers)));
    api_.n_connections = [this] { return http_->n_connections(); };
    return {};
  }

  std::string url() const override { return http_->url(); }
  bool is_open() const override { return keys_->empty(); }
  bool is_local() const override { return is_loopback(options_.http.host); }
  void run() override { http_->run(options_.grace); }

 private:
  HttpReply refusal(const ApiError& error, const HttpRequest& request) const {
    HttpReply reply = error_reply_at(request.path)(error, request.id);
    add_own_headers(request, reply.headers);
    add_cors(request, reply.headers);
    return reply;
  }

  // Pages of this server itself may ask, those of origins that were named, of programs, and, where only this machine is
  // listened to, of other servers on it. Others could use a visitor's browser to reach what only the visitor reaches:
  // a check of Content-Type would not protect, since curl calls everything a form.
  bool allows_origin(const HttpRequest& request) const {
    const std::string_view origin = request.header("origin");
    const size_t host = origin.find("://");
    if (origin.empty() || is_of_a_program(origin)) return true;
    if (host != std::string_view::npos) {
      const std::string_view from = origin.substr(host + 3);
      if (from == request.header("host") || (is_local() && is_loopback(name_of_host(from)))) return true;
    }
    return std::ranges::any_of(options_.origins, [&](const std::string& one) { return one == "*" || one == origin; });
  }

  void add_cors(const HttpRequest& request, Headers& headers) const {
    const std::string_view origin = request.header("origin");
    if (origin.empty() || !allows_origin(request)) return;
    headers.emplace_back("Access-Control-Allow-Origin", origin);
    headers.emplace_back("Vary", "Origin");
    headers.emplace_back("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
  }

  bool allows_host(std::string_view host) const {
    const std::string_view name = name_of_host(host);
    if (!options_.hosts.empty())
      return std::ranges::any_of(options_.hosts, [&](const std::string& one) { return one == "*" || one == name; });
    return !is_local() || is_loopback(name) || host.empty();
  }

  // On the I/O thread, before the body is read.
  std::optional<HttpReply> check(const HttpRequest& request) const {
    if (!allows_host(request.header("host")))
      return refusal(ApiError(403, fmt::format("the host {} is not served here (--allow-host allows it)",
                                               in_quotes(request.header("host")))),
                     request);
    if (request.method == "OPTIONS") return preflight(request);
    if (!allows_origin(request))
      return refusal(ApiError(403, fmt::format("pages of {} may not ask here (--cors-origin lets them)",
                                               in_quotes(request.header("origin")))),
                     request);
    const auto route = find_route(request.method, request.path);
    if (!route) return refusal(route.error(), request);
    if ((*route)->needs_key)
      if (const auto client = client_of(request); !client) return refusal(client.error(), request);
    if (const std::string_view encoding = request.header("content-encoding");
        request.method == "POST" && !encoding.empty() && lower_ascii(encoding) != "identity") {
      ApiError error(415, fmt::format("the body's Content-Encoding is {}, which is not read here; send it as it is",
                                      in_quotes(encoding)));
      error.headers.emplace_back("Accept-Encoding", "identity");
      return refusal(error, request);
    }
    return std::nullopt;
  }

  HttpReply preflight(const HttpRequest& request) const {
    HttpReply reply{.status = 204, .content_type = ""};
    add_cors(request, reply.headers);
    if (!reply.headers.empty()) {
      // Who may ask may send any header: OpenAI's clients send several of their own (X-Stainless-...).
      const std::string_view asked = request.header("access-control-request-headers");
      const bool echoes = !asked.empty() && is_list_of_names(asked);
      reply.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
      reply.headers.emplace_back("Access-Control-Allow-Headers",
                                 echoes ? asked : "Authorization, Content-Type, X-Api-Key");
      reply.headers.emplace_back("Vary", "Access-Control-Request-Headers");
      reply.headers.emplace_back("Access-Control-Max-Age", "600");
      // Chrome asks so before a page from elsewhere may reach this machine.
      if (request.header("access-control-request-private-network") == "true")
        reply.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
    }
    reply.headers.emplace_back("Allow", "GET, POST, OPTIONS");
    return reply;
  }

  ApiResult<Client> client_of(const HttpRequest& request) const {
    return keys_->find(request.header("authorization"), request.header("x-api-key"));
  }

  // On a worker thread.
  void handle(HttpRequest request, HttpExchangePtr exchange) {
    const ErrorReply error_reply = error_reply_at(request.path);
    const std::string id = request.id;
    Headers headers;
    add_own_headers(request, headers);
    add_cors(request, headers);
    if (!headers.empty()) exchange->add_headers(std::move(headers));
    if (const auto done = handle_or_fail(std::move(request), exchange); !done)
      exchange->reply(error_reply(done.error(), id));
  }

  ApiResult<> handle_or_fail(HttpRequest request, const HttpExchangePtr& exchange) {
    const Route* route = OGAS_TRY(find_route(request.method, request.path));
    Call call{.request = {}, .exchange = exchange, .client = {}, .error_reply = error_reply_at(request.path)};
    if (route->needs_key) call.client = OGAS_TRY(client_of(request));
    call.client.address = request.peer;
    exchange->set_client(call.client.name);
    if (route->computes) OGAS_TRY(keys_->admit(call.client));
    call.request = std::move(request);
    return route->endpoint(api_, call);
  }

  void log(const HttpRecord& record) {
    const auto route = find_route(record.method, record.path);
    api_.metrics.count_reply(route ? (*route)->path : "other", record.status);
    if (options_.log) options_.log(record);
  }

  void reload_keys() {
    if (const auto done = keys_->reload(); !done)
      spdlog::warn("{}; the keys stay what they were", done.error().message);
    else
      spdlog::info("keys read again");
  }

  ServerOptions options_;
  std::unique_ptr<ApiKeys> keys_;
  std::unique_ptr<HttpServer> http_;  // once run() is over, it takes messages and does nothing
  Api api_;                     // holds a reference to the engine's thread, and does not use it before it is there
  EngineThread engine_thread_;  // last, to end first: what ends with it counts in the API and writes to exchanges
};

}  // namespace

Result<std::unique_ptr<Server>> Server::create(Engine& engine, ServerOptions options) {
  auto keys = OGAS_TRY(ApiKeys::read(options.key_file, options.keys));
  auto server = std::make_unique<HttpApi>(engine, std::move(options), std::move(keys));
  OGAS_TRY(server->listen());
  return server;
}

}  // namespace ogas::server
