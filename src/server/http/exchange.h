// Carries an answer from the thread that writes it to the connection that sends it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/http/http_connection.h"

namespace ogas::server {

// Made by a connection, which takes what has come and waits on `wake`. All but HttpExchange's members belong to the
// I/O thread.
class Exchange final : public HttpExchange, public std::enable_shared_from_this<Exchange> {
 public:
  explicit Exchange(asio::any_io_executor io) : io_(std::move(io)), wake(io_) {
    wake.expires_at(asio::steady_timer::time_point::max());
  }

  // What is to be sent next.
  std::optional<HttpReply> head;           // once there is one
  bool is_stream = false, ended = false;   // the head is a stream's; all of it is here
  std::string unsent;                      // of a stream's body
  std::optional<HttpReply> expected_head;  // if nothing comes for a while
  Headers headers;                         // of either, in addition to its own
  std::string client;

  void leave() {
    if (gone_) return;
    gone_ = true;
    unsent.clear();
    for (auto& callback : std::exchange(when_gone_, {}))
      if (!ended) callback();
  }

  void reply(HttpReply reply) override {
    on_io([reply = std::move(reply)](Exchange& self) mutable {
      if (!self.head)
        self.head = std::move(reply);
      else if (self.is_stream && !self.ended)  // the stream was begun while this was posted
        self.unsent += self.as_last_piece(reply);
      self.ended = true;
    });
  }
  void begin_stream(HttpReply reply) override {
    on_io([reply = std::move(reply)](Exchange& self) mutable { self.start_stream(std::move(reply)); });
  }
  void expect_stream(HttpReply reply) override {
    on_io([reply = std::move(reply)](Exchange& self) mutable { self.expected_head = std::move(reply); });
  }
  void write(std::string piece) override {
    on_io([piece = std::move(piece)](Exchange& self) { self.unsent += piece; });
  }
  void end_stream() override {
    on_io([](Exchange& self) { self.ended = true; });
  }
  void add_headers(Headers added) override {
    on_io([added = std::move(added)](Exchange& self) mutable {
      for (auto& header : added) self.headers.push_back(std::move(header));
    });
  }
  void set_client(std::string name) override {
    on_io([name = std::move(name)](Exchange& self) mutable { self.client = std::move(name); });
  }
  void when_gone(std::function<void()> callback) override {
    on_io([callback = std::move(callback)](Exchange& self) mutable {
      if (self.gone_)
        callback();
      else if (!self.ended)
        self.when_gone_.push_back(std::move(callback));
    });
  }
  void post(std::function<void()> work) override { asio::post(io_, std::move(work)); }

  std::string as_last_piece(const HttpReply& reply) const {
    if (head->content_type != "text/event-stream") return reply.body + "\n";
    return (reply.event.empty() ? "" : "event: " + reply.event + "\n") + "data: " + reply.body + "\n\n";
  }

  void start_stream(HttpReply reply) {
    if (head) return;
    head = std::move(reply);
    is_stream = true;
  }

 private:
  // Work that was handed over keeps its order; a connection that is gone takes nothing more.
  template <class Work>
  void on_io(Work work) {
    asio::post(io_, [self = shared_from_this(), work = std::move(work)]() mutable {
      work(*self);
      if (self->gone_) self->unsent.clear();
      self->wake.cancel();
    });
  }

  asio::any_io_executor io_;
  bool gone_ = false;
  std::vector<std::function<void()>> when_gone_;

 public:
  asio::steady_timer wake;
};

}  // namespace ogas::server
