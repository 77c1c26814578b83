// HTTP/1.1 over TCP, or TLS: connections, their limits and times, streams, an orderly end. What requests mean is the
// handler's.
//
// All connections live on one thread, which run() is called on; handlers run on a few others. A client that is slow,
// silent, too large or not HTTP is answered where that is possible (400, 408, 413, 431, 503), and closed.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/http/api_error.h"
#include "server/http/http_message.h"

namespace ogas::server {

struct HttpLimits {
  size_t n_connections = 1024;
  size_t header_bytes = size_t{32} << 10;
  size_t body_bytes = size_t{32} << 20;
  size_t all_body_bytes = size_t{256} << 20;  // of all requests at a time
  size_t unsent_bytes = size_t{8} << 20;      // of an answer that its client does not read
  std::chrono::milliseconds header_time{10'000}, body_time{60'000}, idle_time{75'000};
  std::chrono::milliseconds write_time{30'000};       // for the client to read another piece
  std::chrono::milliseconds keep_alive_time{10'000};  // of silence in a stream, after which there is a comment
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8080;           // 0: any free one
  std::vector<int> sockets = {};  // listening already (socket activation): instead of host and port
  std::filesystem::path certificate = {}, certificate_key = {};  // PEM; both empty: no TLS
  HttpLimits limits = {};
  unsigned n_workers = 2;
  bool logs_bodies = false;  // of requests
};

// One line of the access log.
struct HttpRecord {
  std::string id = {}, peer = {}, client = {}, method = {}, path = {};
  std::string body = {};  // the request's, where it is to be logged
  unsigned status = 0;    // 499: the client left before it had an answer
  uint64_t request_bytes = 0, reply_bytes = 0;
  double seconds = 0;
};

struct HttpHandlers {
  // Of a request's head, before its body is read, on the I/O thread: an answer, where that is all it gets.
  std::function<std::optional<HttpReply>(const HttpRequest&)> check;
  // The reply to a request that passed that check and whose body could not be read, on the I/O thread.
  std::function<HttpReply(const ApiError&, const HttpRequest&)> refuse;
  // On a worker thread. The exchange ends with it unless the handler keeps it.
  std::function<void(HttpRequest, HttpExchangePtr)> handle;
  std::function<void(const HttpRecord&)> log = {};  // on the I/O thread
  std::function<void()> hang_up = {};               // SIGHUP, on the I/O thread
  std::function<void()> drain = {};                 // an end begins, on the I/O thread
};

class HttpServer {
 public:
  // Listens. Errors: io (address in use, not ours), usage (host is not an address, certificate cannot be used).
  static Result<std::unique_ptr<HttpServer>> listen(const HttpServerOptions& options, HttpHandlers handlers);
  virtual ~HttpServer() = default;

  // "http://127.0.0.1:8080"
  virtual std::string url() const = 0;
  // Serves until stop(), SIGTERM or SIGINT, and then until what is being answered is done, or grace is over; a second
  // signal ends that at once.
  virtual void run(std::chrono::milliseconds grace) = 0;
  // From any thread.
  virtual void stop() = 0;
  virtual size_t n_connections() const = 0;  // from any thread
};

}  // namespace ogas::server
