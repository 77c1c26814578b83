#include "server/http/http_server.h"

#include <csignal>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/log.h"
#include "server/http/api_error.h"
#include "server/http/http_connection.h"

namespace ogas::server {
namespace {

Result<std::unique_ptr<ssl::context>> make_tls(const HttpServerOptions& options) {
  if (options.certificate.empty() && options.certificate_key.empty()) return nullptr;
  if (options.certificate.empty() || options.certificate_key.empty())
    return fail(ErrorCode::usage, "TLS needs both a certificate and its key");
  auto tls = std::make_unique<ssl::context>(ssl::context::tls_server);
  tls->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                   ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  error_code error;
  tls->use_certificate_chain_file(options.certificate, error);
  if (error) return fail(ErrorCode::usage, "certificate {}: {}", options.certificate.string(), error.message());
  tls->use_private_key_file(options.certificate_key, ssl::context::pem, error);
  if (error)
    return fail(ErrorCode::usage, "certificate's key {}: {}", options.certificate_key.string(), error.message());
  return tls;
}

class AsioServer final : public HttpServer, public ConnectionHost {
 public:
  AsioServer(const HttpServerOptions& options, HttpHandlers handlers, std::unique_ptr<ssl::context> tls)
      : options_(options), handlers_(std::move(handlers)), tls_(std::move(tls)), signals_(io_) {}

  ~AsioServer() override {
    if (!workers_) return;
    workers_->stop();
    workers_->join();
  }

  Result<> open() {
    workers_ = std::make_unique<asio::thread_pool>(options_.n_workers);
    if (options_.sockets.empty()) return open_address();
    for (const int socket : options_.sockets) OGAS_TRY(adopt(socket));
    return {};
  }

  std::string url() const override {
    error_code error;
    const auto endpoint = acceptors_.front().local_endpoint(error);
    const std::string address = endpoint.address().to_string(error);
    return fmt::format("{}://{}:{}", tls_ ? "https" : "http",
                       endpoint.address().is_v6() ? "[" + address + "]" : address, endpoint.port());
  }

  void run(std::chrono::milliseconds grace) override {
    grace_ = grace;
    for (tcp::acceptor& acceptor : acceptors_) asio::co_spawn(io_, accept(acceptor), asio::detached);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
    wait_for_signal();
    run_connections();
    workers_->join();
  }

  void stop() override {
    asio::post(io_, [this] { drain(); });
  }

  size_t n_connections() const override { return n_connections_.load(std::memory_order_relaxed); }

  // ConnectionHost
  const HttpLimits& limits() const override { return options_.limits; }
  const HttpHandlers& handlers() const override { return handlers_; }
  bool is_draining() const override { return draining_; }
  bool logs_bodies() const override { return options_.logs_bodies; }
  bool reserve_body(size_t n) override {
    if (body_bytes_.fetch_add(n) + n <= options_.limits.all_body_bytes) return true;
    body_bytes_.fetch_sub(n);
    return false;
  }
  void release_body(size_t n) override { body_bytes_.fetch_sub(n); }
  void add(ConnectionBase& connection) override {
    connections_.push_back(&connection);
    n_connections_.store(connections_.size(), std::memory_order_relaxed);
  }
  void remove(ConnectionBase& connection) override {
    std::erase(connections_, &connection);
    n_connections_.store(connections_.size(), std::memory_order_relaxed);
    end_if_done();
  }
  void handle(HttpRequest request, HttpExchangePtr exchange) override {
    // std::function wants what can be copied.
    auto shared = std::make_shared<HttpRequest>(std::move(request));
    asio::post(*workers_, [this, shared, exchange = std::move(exchange)] {
      try {
        handlers_.handle(std::move(*shared), exchange);
      } catch (const std::exception& exception) {
        spdlog::error("{}: {}", shared->id, exception.what());
        exchange->reply({.status = 500, .body = ApiError(500, "the server failed").json()});
      }
    });
  }

 private:
  Result<> open_address() {
    error_code error;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(options_.host, std::to_string(options_.port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service, error);
    if (error || found.empty())
      return fail(ErrorCode::usage, "{} is not an address to listen on: {}", options_.host, error.message());
    const tcp::endpoint endpoint = found.begin()->endpoint();
    tcp::acceptor acceptor(io_);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
    if (error) return fail(ErrorCode::io, "cannot listen on {}:{}: {}", options_.host, options_.port, error.message());
    acceptors_.push_back(std::move(acceptor));
    return {};
  }

  Result<> adopt(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      return fail(ErrorCode::io, "descriptor {}, which was passed to this process, is not a socket", socket);
    tcp::acceptor acceptor(io_);
    error_code error;
    acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), socket, error);
    if (error) return fail(ErrorCode::io, "descriptor {} that was handed over: {}", socket, error.message());
    acceptors_.push_back(std::move(acceptor));
    return {};
  }

  asio::awaitable<void> accept(tcp::acceptor& acceptor) {
    asio::steady_timer pause(io_);
    while (acceptor.is_open()) {
      error_code error;
      tcp::socket socket = co_await acceptor.async_accept(redirect(error));
      if (error == asio::error::operation_aborted || draining_) break;
      if (error) {  // no descriptors left, most likely
        pause.expires_after(std::chrono::milliseconds(100));
        co_await pause.async_wait(redirect(error));
        continue;
      }
      if (connections_.size() >= options_.limits.n_connections) {
        refuse(socket);
        continue;
      }
      socket.set_option(tcp::no_delay(true), error);
      start_connection(*this, std::move(socket), tls_.get());
    }
  }

  // Without waiting: who does not take it goes without.
  void refuse(tcp::socket& socket) const {
    static const std::string kBody = ApiError(503, "too many connections").json();
    static const std::string kBusy = fmt::format(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        "Connection: close\r\nContent-Length: {}\r\n\r\n{}",
        kBody.size(), kBody);
    error_code error;
    socket.non_blocking(true, error);
    if (!tls_) socket.write_some(asio::buffer(kBusy), error);
    socket.close(error);
  }

  // What one of them throws (no memory, most likely) must not end the others.
  void run_connections() {
    while (true) try {
        io_.run();
        return;
      } catch (const std::exception& exception) {
        spdlog::error("the server's I/O thread: {}", exception.what());
      }
  }

  void wait_for_signal() {
    signals_.async_wait([this](const error_code& error, int signal) {
      if (error) return;
      wait_for_signal();  // first: what follows may end it
      if (signal == SIGHUP) {
        if (handlers_.hang_up) handlers_.hang_up();
      } else if (draining_) {
        close_all();
      } else {
        drain();
      }
    });
  }

  void drain() {
    if (draining_) return;
    draining_ = true;
    if (handlers_.drain) handlers_.drain();
    error_code error;
    for (tcp::acceptor& acceptor : acceptors_) acceptor.close(error);
    for (ConnectionBase* connection : std::vector(connections_)) connection->close_if_idle();
    grace_timer_.emplace(io_, grace_);
    grace_timer_->async_wait([this](const error_code& cancelled) {
      if (!cancelled) close_all();
    });
    end_if_done();
  }

  void close_all() {
    for (ConnectionBase* connection : std::vector(connections_)) connection->close_now();
  }

  void end_if_done() {
    if (!draining_ || !connections_.empty()) return;
    if (grace_timer_) grace_timer_->cancel();
    error_code error;
    signals_.cancel(error);
  }

  HttpServerOptions options_;
  HttpHandlers handlers_;
  std::unique_ptr<ssl::context> tls_;
  asio::io_context io_{1};
  asio::signal_set signals_;
  std::vector<tcp::acceptor> acceptors_;
  std::vector<ConnectionBase*> connections_;
  std::atomic<size_t> n_connections_ = 0, body_bytes_ = 0;
  std::optional<asio::steady_timer> grace_timer_;
  std::chrono::milliseconds grace_{};
  bool draining_ = false;
  std::unique_ptr<asio::thread_pool> workers_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpServerOptions& options, HttpHandlers handlers) {
  auto tls = OGAS_TRY(make_tls(options));
  auto server = std::make_unique<AsioServer>(options, std::move(handlers), std::move(tls));
  OGAS_TRY(server->open());
  return server;
}

}  // namespace ogas::server
