#include "server/http/http_connection.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <random>

#include "base/ascii.h"
#include "base/log.h"
#include "server/http/api_error.h"
#include "server/http/exchange.h"

namespace ogas::server {
namespace {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using Parser = http::request_parser<http::string_body>;

// "%41" to "A"; what is no such thing stays.
std::string decode_path(std::string_view text) {
  std::string decoded;
  for (size_t idx = 0; idx < text.size(); ++idx) {
    unsigned value = 0;
    const char* begin = text.data() + idx + 1;
    if (text[idx] == '%' && idx + 2 < text.size() && std::from_chars(begin, begin + 2, value, 16).ptr == begin + 2) {
      decoded += static_cast<char>(value);
      idx += 2;
    } else {
      decoded += text[idx];
    }
  }
  return decoded;
}

std::string new_request_id() {
  static std::atomic<uint64_t> counter = std::random_device{}();
  return fmt::format("req_{:016x}", counter.fetch_add(0x9e3779b97f4a7c15ULL));
}

struct Target {
  std::string_view path;       // with the query; "*" of OPTIONS
  std::string_view authority;  // "localhost:8080"; empty where the request names none
};

// Of a request's target: a path, or a whole URL, which stands for its Host header then (RFC 9112, 3.2.2).
std::optional<Target> read_target(std::string_view target, std::string_view method) {
  if (target.starts_with('/') || (target == "*" && method == "OPTIONS")) return Target{target, {}};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (lower_ascii(target.substr(0, scheme.size())) != scheme) continue;
    const std::string_view rest = target.substr(scheme.size());
    const size_t end = std::min(rest.find_first_of("/?"), rest.size());
    const std::string_view authority = rest.substr(0, end), path = rest.substr(end);
    if (authority.empty() || authority.contains('@')) break;
    if (path.starts_with('/')) return Target{path, authority};
    if (path.empty()) return Target{"/", authority};
    break;
  }
  return std::nullopt;
}

HttpReply error_reply(unsigned status, std::string_view message) {
  return {.status = status, .body = ApiError(status, std::string(message)).json()};
}

// What a connection can be over.
tcp::socket& socket_of(tcp::socket& stream) { return stream; }
tcp::socket& socket_of(ssl::stream<tcp::socket>& stream) { return stream.next_layer(); }

// Instead of a reply: there is nobody to take one.
const HttpReply kNoReply{.status = 0};

template <class Stream>
class Connection final : public ConnectionBase, public std::enable_shared_from_this<Connection<Stream>> {
 public:
  template <class... Tls>
  Connection(ConnectionHost& host, tcp::socket socket, Tls&... tls)
      : host_(host),
        stream_(std::move(socket), tls...),
        deadline_(socket_of(stream_).get_executor()),
        read_ended_(deadline_.get_executor()) {
    error_code error;
    const auto peer = socket_of(stream_).remote_endpoint(error);
    if (!error) peer_ = peer.address().to_string(error);
    read_ended_.expires_at(Clock::time_point::max());
    host_.add(*this);
  }
  ~Connection() override { host_.remove(*this); }

  void start() {
    asio::co_spawn(
        deadline_.get_executor(), [self = this->shared_from_this()] { return self->serve(); }, asio::detached);
  }
  void close_if_idle() override {
    if (idle_) close_now();
  }
  void close_now() override {
    error_code error;
    closed_ = true;
    socket_of(stream_).close(error);
    read_ended_.cancel();
    if (exchange_) exchange_->leave(), exchange_->wake.cancel();
  }

 private:
  using Self = std::enable_shared_from_this<Connection<Stream>>;

  // From here on, everything together takes so long at most, or the connection is closed.
  void allow(std::chrono::milliseconds time) {
    deadline_.expires_after(time);
    deadline_.async_wait([weak = this->weak_from_this()](const error_code& cancelled) {
      const auto self = weak.lock();
      if (cancelled || !self) return;
      self->timed_out_ = true;
      error_code error;
      if (self->answers_timeouts_)
        socket_of(self->stream_).cancel(error);
      else
        self->close_now();
    });
  }
  void allow_forever() { deadline_.cancel(); }

  asio::awaitable<void> serve() {
    try {
      bool goes_on = true;
      if constexpr (!std::is_same_v<Stream, tcp::socket>) {
        error_code error;
        allow(host_.limits().header_time);
        co_await stream_.async_handshake(ssl::stream_base::server, redirect(error));
        goes_on = !error;
      }
      while (goes_on && !closed_) goes_on = co_await serve_one();
    } catch (const std::exception& exception) {
      spdlog::error("connection of {}: {}", peer_, exception.what());
    }
    if (exchange_) exchange_->leave();
    allow_forever();
    error_code error;
    socket_of(stream_).close(error);
  }

  // Returns whether the connection can serve another request.
  asio::awaitable<bool> serve_one() {
    const HttpLimits& limits = host_.limits();
    idle_ = buffer_.size() == 0;
    if (idle_ && !co_await wait_for_bytes()) co_return false;
    idle_ = timed_out_ = false;
    started_ = Clock::now();
    sent_bytes_ = 0;
    record_ = {.id = new_request_id(), .peer = peer_};

    Parser parser;
    parser.header_limit(static_cast<uint32_t>(limits.header_bytes));
    parser.body_limit(limits.body_bytes);
    HttpRequest request;
    if (auto refused = co_await read_head(parser, request)) co_return co_await refuse(*std::move(refused));
    if (auto refused = host_.handlers().check(request)) {
      if (parser.is_done()) co_return co_await answer_now(*std::move(refused), parser.get().keep_alive());
      co_return co_await refuse(*std::move(refused));
    }
    if (auto refused = co_await read_body(parser, request)) co_return co_await refuse(*std::move(refused));

    keeps_alive_ = parser.get().keep_alive();
    is_1_0_ = parser.get().version() < 11;
    is_head_ = request.method == "HEAD";
    record_.request_bytes = request.body.size();
    if (host_.logs_bodies()) record_.body = request.body;
    exchange_ = std::make_shared<Exchange>(deadline_.get_executor());
    watch_for_end();
    host_.handle(std::move(request), exchange_);
    const bool goes_on = co_await send_answer();
    exchange_->leave();
    record_.client = exchange_->client;
    exchange_.reset();
    log();
    co_return goes_on&& keeps_alive_ && !host_.is_draining();
  }

  // Waits for bytes of the next request, or for the end. Continues a read that was begun during the last answer.
  asio::awaitable<bool> wait_for_bytes() {
    allow(host_.limits().idle_time);
    if (host_.is_draining()) co_return false;
    error_code error;
    if (reading_) {
      while (reading_ && !closed_) co_await read_ended_.async_wait(redirect(error));
      co_return buffer_.size() > 0;
    }
    const size_t n = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), redirect(error));
    buffer_.commit(n);
    co_return !error && n > 0;
  }

  asio::awaitable<std::optional<HttpReply>> read_head(Parser& parser, HttpRequest& request) {
    error_code error;
    answers_timeouts_ = true;
    allow(host_.limits().header_time);
    co_await http::async_read_header(stream_, buffer_, parser, redirect(error));
    answers_timeouts_ = false;
    // What has come of the head is for the log, also where the request is refused.
    auto refused = take_head(parser, request);
    if (timed_out_) co_return error_reply(408, "the request's head did not come in time");
    if (!error) co_return refused;
    const auto known = error_of(error);
    if (!known) co_return kNoReply;
    if (error != http::error::body_limit) co_return error_reply(known->status, known->message);
    // The head is whole, and announces too long a body.
    auto other = refused ? refused : host_.handlers().check(request);
    co_return other ? *std::move(other) : refusal(*known, request);
  }

  std::optional<HttpReply> take_head(const Parser& parser, HttpRequest& request) {
    const auto& head = parser.get();
    request.method = std::string(head.method_string());
    const std::string_view given(head.target().data(), head.target().size());
    const auto target = read_target(given, request.method);
    const std::string_view path = target ? target->path : given;
    const size_t query = path.find('?');
    request.path = decode_path(path.substr(0, query));
    if (query != std::string_view::npos) request.query = std::string(path.substr(query + 1));
    record_.method = request.method;
    record_.path = request.path;
    request.id = record_.id;
    request.peer = peer_;
    if (head.version() != 10 && head.version() != 11)
      return error_reply(505, "only HTTP/1.0 and HTTP/1.1 are supported");
    size_t n_hosts = 0;
    for (const auto& field : head) {
      request.headers.emplace_back(lower_ascii({field.name_string().data(), field.name_string().size()}),
                                   std::string(field.value()));
      n_hosts += request.headers.back().first == "host";
      if (request.headers.back().first == "host" && target && !target->authority.empty())
        request.headers.back().second = target->authority;
    }
    if (n_hosts == 0 && target && !target->authority.empty()) {
      request.headers.emplace_back("host", target->authority);
    }
    if (n_hosts > 1 || (n_hosts == 0 && head.version() == 11)) return error_reply(400, "a request has one Host header");
    if (!target) return error_reply(400, "the request's target is not a path");
    return {};
  }

  // What is wrong with what could not be read as a request; nothing where nobody waits for a reply.
  std::optional<ApiError> error_of(const error_code& error) const {
    const HttpLimits& limits = host_.limits();
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return ApiError(431, fmt::format("the request's head is longer than {} bytes", limits.header_bytes));
    if (error == http::error::body_limit)
      return ApiError(413, fmt::format("the request's body is longer than {} bytes", limits.body_bytes));
    const bool has_ended = error == http::error::end_of_stream || error == http::error::partial_message;
    if (has_ended || closed_ || error.category() != make_error_code(http::error::bad_method).category())
      return std::nullopt;
    return ApiError(400, "this is not an HTTP/1.1 request: " + error.message());
  }

  // As the API writes its errors, with what a page needs to read it (CORS).
  HttpReply refusal(const ApiError& error, const HttpRequest& request) const {
    return host_.handlers().refuse(error, request);
  }

  asio::awaitable<std::optional<HttpReply>> read_body(Parser& parser, HttpRequest& request) {
    error_code error;
    const auto account = std::make_shared<BodyAccount>(host_);
    if (lower_ascii(request.header("expect")) == "100-continue" && !parser.is_done() && buffer_.size() == 0) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await asio::async_write(stream_, asio::buffer(kContinue), redirect(error));
    }
    answers_timeouts_ = true;
    allow(host_.limits().body_time);
    while (!parser.is_done() && !error) {
      co_await http::async_read_some(stream_, buffer_, parser, redirect(error));
      if (!account->grow_to(parser.get().body().size())) {
        answers_timeouts_ = false;
        co_return refusal(ApiError(503, "too many requests of this size at once"), request);
      }
    }
    answers_timeouts_ = false;
    if (timed_out_) co_return refusal(ApiError(408, "the request's body did not come in time"), request);
    if (error) {
      const auto known = error_of(error);
      co_return known ? refusal(*known, request) : kNoReply;
    }
    request.body = std::move(parser.get().body());
    request.body_account = account;
    co_return std::nullopt;
  }

  struct BodyAccount {
    explicit BodyAccount(ConnectionHost& account_host) : host(account_host) {}
    ~BodyAccount() { host.release_body(n); }
    bool grow_to(size_t size) {
      if (size <= n) return true;
      if (!host.reserve_body(size - n)) return false;
      n = size;
      return true;
    }
    ConnectionHost& host;
    size_t n = 0;
  };

  // A client that leaves while it waits is noticed by the end of what it sends. What it sends meanwhile is the next
  // request, and stays in the buffer; no more is read then.
  void watch_for_end() {
    if (buffer_.size() > 0 || reading_) return;
    reading_ = true;
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = this->shared_from_this()](const error_code& error, size_t n) {
                              self->reading_ = false;
                              self->buffer_.commit(n);
                              if (error && self->exchange_) {
                                self->client_left_ = true;
                                self->exchange_->leave();
                                self->exchange_->wake.cancel();
                              }
                              self->read_ended_.cancel();
                            });
  }

  // Waits until there is something to send, or it is time for a comment.
  asio::awaitable<void> wait_for_output(Exchange& exchange) {
    error_code error;
    const auto silence = host_.limits().keep_alive_time;
    while (!client_left_ && !closed_ && !exchange.ended && exchange.unsent.empty() && !(exchange.head && !head_sent_)) {
      const bool may_comment = exchange.is_stream || exchange.expected_head;  // which may be known by now
      exchange.wake.expires_after(may_comment ? silence : std::chrono::milliseconds(std::chrono::hours(24)));
      co_await exchange.wake.async_wait(redirect(error));
      if (error) continue;  // woken
      if (!exchange.head && exchange.expected_head) exchange.start_stream(*std::move(exchange.expected_head));
      if (exchange.is_stream && exchange.head->content_type == "text/event-stream")
        exchange.unsent += exchange.head->keep_alive;
      break;
    }
  }

  // Returns whether the connection can be used again.
  asio::awaitable<bool> send_answer() {
    Exchange& exchange = *exchange_;
    head_sent_ = false;
    client_left_ = false;
    allow_forever();
    while (true) {
      co_await wait_for_output(exchange);
      if (client_left_ || closed_) co_return false;
      if (!exchange.head && exchange.ended) {  // nobody answered
        exchange.head = error_reply(500, "no answer");
      }
      std::string bytes;
      if (!head_sent_ && exchange.head) {
        head_sent_ = true;
        bytes = head_bytes(*exchange.head, exchange.is_stream);
        if (!exchange.is_stream && !is_head_) bytes += exchange.head->body;
      }
      if (exchange.is_stream && head_sent_) append_body(std::exchange(exchange.unsent, {}), bytes);
      const bool is_last = exchange.ended;
      if (is_last && exchange.is_stream && !is_1_0_ && !is_head_) bytes += "0\r\n\r\n";
      if (!bytes.empty() && !co_await send(std::move(bytes))) co_return false;
      if (is_last && exchange.unsent.empty()) co_return !(exchange.is_stream && is_1_0_);
    }
  }

  void append_body(std::string_view body, std::string& bytes) const {
    if (body.empty() || is_head_) return;
    if (is_1_0_)
      bytes += body;
    else
      fmt::format_to(std::back_inserter(bytes), "{:x}\r\n{}\r\n", body.size(), body);
  }

  std::string head_bytes(const HttpReply& reply, bool is_stream) {
    record_.status = reply.status;
    const auto reason = http::obsolete_reason(http::int_to_status(reply.status));
    std::string text = fmt::format("HTTP/1.1 {} {}\r\nX-Request-Id: {}\r\n", reply.status,
                                   std::string_view(reason.data(), reason.size()), record_.id);
    if (!reply.content_type.empty()) text += fmt::format("Content-Type: {}\r\n", reply.content_type);
    for (const auto& [name, value] : reply.headers) text += fmt::format("{}: {}\r\n", name, value);
    if (exchange_)
      for (const auto& [name, value] : exchange_->headers) text += fmt::format("{}: {}\r\n", name, value);
    if (!is_stream) text += fmt::format("Content-Length: {}\r\n", reply.body.size());
    if (is_stream && !is_1_0_) text += "Transfer-Encoding: chunked\r\n";
    if (is_stream) text += "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n";
    if (host_.is_draining()) keeps_alive_ = false;
    const bool closes = !keeps_alive_ || (is_stream && is_1_0_);
    text += closes ? "Connection: close\r\n\r\n" : is_1_0_ ? "Connection: keep-alive\r\n\r\n" : "\r\n";
    return text;
  }

  // Piece by piece, so that a slow client is told from one that has gone.
  asio::awaitable<bool> send(std::string bytes) {
    constexpr size_t kPiece = size_t{64} << 10;
    error_code error;
    for (size_t begin = 0; begin < bytes.size(); begin += kPiece) {
      const size_t n = std::min(kPiece, bytes.size() - begin);
      allow(host_.limits().write_time);
      sent_bytes_ += co_await asio::async_write(stream_, asio::buffer(bytes.data() + begin, n), redirect(error));
      allow_forever();
      if (error || closed_) co_return false;
      if (exchange_ && exchange_->unsent.size() > host_.limits().unsent_bytes) co_return false;
    }
    co_return true;
  }

  // An answer to a request whose rest is not read, or kNoReply.
  asio::awaitable<bool> refuse(HttpReply reply) {
    if (reply.status == 0) co_return false;
    co_await answer_now(std::move(reply), false);
    // What the client still sends is read and forgotten for a moment: a connection that is closed with something unread
    // takes the answer with it.
    error_code error;
    socket_of(stream_).shutdown(tcp::socket::shutdown_send, error);
    timed_out_ = false;
    allow(std::chrono::seconds(2));
    std::array<char, 16384> forgotten;
    size_t n_read = 0;
    while (!error && !closed_ && n_read < (size_t{64} << 20))
      n_read += co_await socket_of(stream_).async_read_some(asio::buffer(forgotten), redirect(error));
    co_return false;
  }

  asio::awaitable<bool> answer_now(HttpReply reply, bool keeps_alive) {
    timed_out_ = false;
    keeps_alive_ = keeps_alive;
    std::string bytes = head_bytes(reply, false);
    if (record_.method != "HEAD") bytes += reply.body;
    const bool sent = co_await send(std::move(bytes));
    log();
    co_return sent&& keeps_alive_;
  }

  void log() {
    if (!host_.handlers().log) return;
    if (record_.status == 0 || client_left_) record_.status = 499;
    record_.reply_bytes = sent_bytes_;
    record_.seconds = std::chrono::duration<double>(Clock::now() - started_).count();
    host_.handlers().log(record_);
  }

  static constexpr size_t kReadBytes = 4096;

  ConnectionHost& host_;
  Stream stream_;
  asio::steady_timer deadline_;
  asio::steady_timer read_ended_;
  boost::beast::flat_buffer buffer_;
  std::string peer_;
  std::shared_ptr<Exchange> exchange_;
  HttpRecord record_;
  Clock::time_point started_;
  uint64_t sent_bytes_ = 0;
  bool idle_ = true, closed_ = false, timed_out_ = false, answers_timeouts_ = false;
  bool reading_ = false, client_left_ = false;
  bool keeps_alive_ = true, is_1_0_ = false, is_head_ = false, head_sent_ = false;
};

}  // namespace

void start_connection(ConnectionHost& host, tcp::socket socket, ssl::context* tls) {
  if (tls)
    std::make_shared<Connection<ssl::stream<tcp::socket>>>(host, std::move(socket), *tls)->start();
  else
    std::make_shared<Connection<tcp::socket>>(host, std::move(socket))->start();
}

}  // namespace ogas::server
