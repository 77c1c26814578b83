// One connection: request after request, each with its exchange.
#pragma once

#include <utility>  // before awaitable.hpp, which forgets it in Boost 1.74

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "server/http/http_server.h"

namespace ogas::server {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using boost::system::error_code;

// co_await operation(redirect(error)): the error as a value.
inline auto redirect(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

// On the I/O thread.
class ConnectionBase {
 public:
  virtual ~ConnectionBase() = default;
  virtual void close_if_idle() = 0;  // between two requests
  virtual void close_now() = 0;
};

// What connections need of their server. On the I/O thread, but for the bodies' account.
class ConnectionHost {
 public:
  virtual const HttpLimits& limits() const = 0;
  virtual const HttpHandlers& handlers() const = 0;
  virtual bool is_draining() const = 0;
  virtual bool logs_bodies() const = 0;
  // Whether n more bytes of bodies fit within the limit.
  virtual bool reserve_body(size_t n) = 0;
  virtual void release_body(size_t n) = 0;
  virtual void add(ConnectionBase& connection) = 0;
  virtual void remove(ConnectionBase& connection) = 0;
  virtual void handle(HttpRequest request, HttpExchangePtr exchange) = 0;

 protected:
  ~ConnectionHost() = default;
};

// tls: null for none. It lives until it is closed; the host must outlive it.
void start_connection(ConnectionHost& host, tcp::socket socket, ssl::context* tls);

}  // namespace ogas::server
