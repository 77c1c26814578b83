// A request and its answer, as the API sees them: HTTP without connections.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ogas::server {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;  // "POST"
  std::string path;    // "/v1/models/a b": decoded, without the query
  std::string query;   // as it came, without "?"
  Headers headers;     // names in lower case
  std::string body;
  std::string peer;  // the client's address
  std::string id;    // "req_...", ours
  // Lets the server account for the memory of the body as long as it lives.
  std::shared_ptr<void> body_account = {};

  // The first header of that name (in lower case), or "".
  std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  Headers headers = {};
  // Of events ("text/event-stream"): what a stream says when it has said nothing for a while, and the name that a reply
  // has as the last event of one that has begun.
  std::string keep_alive = ": waiting\n\n", event = {};
};

// The way back to one client: one reply, or a stream. Members may be called from any thread, and do nothing once the
// client is gone.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual void reply(HttpReply reply) = 0;
  // Status, headers and nothing else yet. content_type "text/event-stream" keeps the connection alive.
  virtual void begin_stream(HttpReply head) = 0;
  virtual void write(std::string piece) = 0;
  virtual void end_stream() = 0;
  // From now on, if nothing is sent for a while, the stream begins by itself with this head.
  virtual void expect_stream(HttpReply head) = 0;
  // Calls it on the I/O thread once the client has left before it had its answer (at once, if it already has).
  virtual void when_gone(std::function<void()> callback) = 0;
  // Runs it on the I/O thread, soon.
  virtual void post(std::function<void()> work) = 0;
  // Headers in addition to those of the reply.
  virtual void add_headers(Headers headers) = 0;
  // The client's name for the access log.
  virtual void set_client(std::string name) = 0;
};
using HttpExchangePtr = std::shared_ptr<HttpExchange>;

}  // namespace ogas::server
