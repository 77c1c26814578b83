#include "server/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace ogas::server {
namespace {

using boost::asio::ip::tcp;

// Answers every request by what `answer` does with its exchange. Streams are silent for ten milliseconds at most.
class HttpServerTest : public ::testing::Test {
 protected:
  void serve(std::function<void(HttpExchangePtr)> answer) {
    HttpHandlers handlers{.check = [](const HttpRequest&) { return std::nullopt; },
                          .refuse = [](const ApiError& error, const HttpRequest&) -> HttpReply {
                            return {.status = error.status, .body = error.message};
                          },
                          .handle = [answer](HttpRequest, HttpExchangePtr exchange) { answer(std::move(exchange)); }};
    HttpServerOptions options{.port = 0};
    options.limits.keep_alive_time = std::chrono::milliseconds(10);
    server_ = HttpServer::listen(options, std::move(handlers)).value();
    thread_ = std::thread([this] { server_->run(std::chrono::milliseconds(0)); });
  }
  void TearDown() override {
    server_->stop();
    thread_.join();
  }

  // What comes until `end` does.
  std::string ask_until(const std::string& end) {
    boost::asio::io_context io;
    tcp::socket socket(io);
    const std::string url = server_->url();
    const auto port = static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), port});
    boost::asio::write(socket, boost::asio::buffer(std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    std::string received;
    boost::asio::read_until(socket, boost::asio::dynamic_buffer(received), end);
    return received;
  }

  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, SilentStreamsSayThatTheyAreThere) {
  std::promise<void> seen;
  serve([&seen](HttpExchangePtr exchange) {
    exchange->expect_stream({.content_type = "text/event-stream", .keep_alive = "event: ping\ndata: {}\n\n"});
    seen.get_future().wait();
    exchange->end_stream();
  });
  EXPECT_THAT(ask_until("event: ping\ndata: {}\n\n"), ::testing::HasSubstr("Content-Type: text/event-stream"));
  seen.set_value();
}

TEST_F(HttpServerTest, RepliesAreTheLastEventOfStreamsThatHaveBegun) {
  serve([](HttpExchangePtr exchange) {
    exchange->begin_stream({.content_type = "text/event-stream"});
    exchange->reply({.status = 500, .body = "{}", .event = "error"});
  });
  EXPECT_THAT(ask_until("0\r\n\r\n"), ::testing::HasSubstr("event: error\ndata: {}\n\n"));
}

}  // namespace
}  // namespace ogas::server
