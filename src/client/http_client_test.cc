#include "client/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "base/memory.h"
#include "client/hostile_test_server.h"

namespace ogas::client {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kEvents = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

HttpClient client_with(HttpOptions options = {}) { return HttpClient::create(std::move(options)).value(); }

std::string get_error(const HostileServer& server, HttpOptions options = {}) {
  const auto reply = client_with(std::move(options)).get(server.url("/x"));
  EXPECT_FALSE(reply);
  return reply ? "" : reply.error().message;
}

struct Streamed {
  std::vector<std::string> events;
  Result<> result;
};

Streamed stream(const HostileServer& server, HttpOptions options = {}) {
  Streamed streamed;
  streamed.result = client_with(std::move(options))
                        .post_events(server.url("/x"), {{"a", 1}}, [&](std::string_view data) -> Result<bool> {
                          streamed.events.emplace_back(data);
                          return data != "[DONE]";
                        });
  return streamed;
}

TEST(HttpClient, SendsKeyAndBodyAndReadsTheReply) {
  std::string seen;
  HostileServer server([&](int socket, const std::string& request) {
    seen = request;
    HostileServer::send(socket, reply_of("200 OK", "application/json", R"({"b": 2})"));
  });
  const auto reply = client_with({.key = "secret"}).post_json(server.url("/v1/x"), {{"a", "ü"}});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ((*reply)["b"], 2);
  EXPECT_THAT(seen, AllOf(StartsWith("POST /v1/x HTTP/1.1\r\n"), HasSubstr("\r\nAuthorization: Bearer secret\r\n"),
                          HasSubstr("\r\nContent-Type: application/json\r\n"), HasSubstr("\r\n\r\n{\"a\":\"ü\"}"),
                          Not(HasSubstr("Expect:")), Not(HasSubstr("Accept-Encoding"))));
}

TEST(HttpClient, ErrorsHaveUrlStatusAndTheServersMessage) {
  for (const auto& [status, body, message] : std::vector<std::array<std::string, 3>>{
           {"401 Unauthorized", R"({"error": {"message": "no such key"}})", "/x: status 401: no such key"},
           {"400 Bad Request", R"({"error": "of Ollama"})", "/x: status 400: of Ollama"},
           {"422 X", R"({"detail": "of FastAPI"})", "/x: status 422: of FastAPI"},
           {"500 X", "two\n\x1b[31mlines\n", "/x: status 500: two [31mlines"},
           {"502 X", "<html>\n<body>", "/x: status 502: a page of HTML"},
           {"503 X", "", "/x: status 503"},
           {"404 X", std::string(5000, 'a'), "/x: status 404: " + std::string(500, 'a') + "..."}}) {
    const HostileServer server(reply_of(status, "application/json", body));
    EXPECT_EQ(get_error(server), server.url(message));
    EXPECT_EQ(stream(server).result.error().message, server.url(message));
  }
}

TEST(HttpClient, RedirectsAreNotFollowed) {
  int n_requests = 0;
  HostileServer server([&](int socket, const std::string&) {
    ++n_requests;
    HostileServer::send(socket,
                        "HTTP/1.1 307 X\r\nLocation: http://elsewhere.example/\x1b[31m\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_THAT(get_error(server), AllOf(HasSubstr("status 307"), HasSubstr("'http://elsewhere.example/\\x1b[31m'")));
  EXPECT_EQ(n_requests, 1);
}

TEST(HttpClient, BeginningsComeByRangesOrByLeavingEarly) {
  const std::string data(100'000, 'x');
  const auto beginning_of = [&](const std::string& reply, size_t n = 1000) -> Result<Beginning> {
    HostileServer server(reply);
    return HttpClient::create({.key = "secret"}).value().get_beginning(server.url(), n);
  };
  std::string asked;
  HostileServer ranges([&](int socket, const std::string& request) {
    asked = request;
    HostileServer::send(socket,
                        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-999/123456\r\n"
                        "Content-Length: 1000\r\n\r\n" +
                            data.substr(0, 1000));
  });
  const auto part = HttpClient::create({.key = "secret"}).value().get_beginning(ranges.url(), 1000).value();
  EXPECT_EQ(part.bytes, data.substr(0, 1000));
  EXPECT_EQ(part.n_whole, 123456U);
  EXPECT_THAT(asked, AllOf(HasSubstr("Range: bytes=0-999\r\n"), Not(HasSubstr("secret"))));

  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + data;
  EXPECT_EQ(beginning_of(whole).value().bytes.size(), 1000U);
  EXPECT_EQ(beginning_of(whole).value().n_whole, 100'000U);
  EXPECT_EQ(beginning_of(whole, 200'000).value().bytes, data);

  HostileServer target(whole);
  EXPECT_EQ(
      beginning_of("HTTP/1.1 302 Found\r\nLocation: " + target.url() + "\r\nContent-Length: 0\r\n\r\n").value().n_whole,
      100'000U);
  const auto error_of = [&](const std::string& reply) { return beginning_of(reply).error().message; };
  EXPECT_THAT(error_of("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
              HasSubstr("not followed"));
  EXPECT_THAT(error_of("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), HasSubstr("5 redirects"));
  EXPECT_THAT(error_of("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"), HasSubstr("does not say how long"));
  EXPECT_THAT(error_of("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/1\r\nContent-Length: 3\r\n\r\nabc"),
              HasSubstr("does not say how long"));
  EXPECT_THAT(error_of("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), HasSubstr("404"));
}

TEST(HttpClient, WhatIsNoHttpOrNoJsonIsSaid) {
  EXPECT_THAT(get_error(HostileServer("SSH-2.0-OpenSSH_9.2\r\n")), HasSubstr("does not speak HTTP"));
  EXPECT_THAT(get_error(HostileServer("")), HasSubstr("without a reply"));
  for (const std::string body : {"", "<html>", "{\"a\": ", "\xff\xfe", "{\"a\": \"\xff\"}"}) {
    const HostileServer server(reply_of("200 OK", "application/json", body));
    const auto json = client_with().get_json(server.url("/x"));
    ASSERT_FALSE(json) << body;
    EXPECT_THAT(json.error().message, AllOf(StartsWith(server.url("/x: ")), HasSubstr("where JSON is expected")));
  }
  EXPECT_THAT(stream(HostileServer(reply_of("200 OK", "text/html", "<html>"))).result.error().message,
              HasSubstr("'<html>' was sent, where JSON is expected"));
}

TEST(HttpClient, SizesAreBounded) {
  EXPECT_THAT(get_error(HostileServer(reply_of("200 OK", "text/plain", std::string(2000, 'a'))), {.reply_bytes = 1000}),
              HasSubstr("more than 1000 bytes"));
  const auto endless = [](std::string_view head, std::string_view part) {
    return HostileServer::Serve([head = std::string(head), part = std::string(part)](int socket, const std::string&) {
      HostileServer::send(socket, head);
      while (HostileServer::send(socket, part)) {
      }
    });
  };
  const std::string part(10'000, 'a');
  const uint64_t before = current_memory();
  EXPECT_THAT(get_error(HostileServer(endless("HTTP/1.1 200 OK\r\n\r\n", part))),
              HasSubstr("more than 16777216 bytes"));
  EXPECT_THAT(get_error(HostileServer(endless("HTTP/1.1 500 X\r\n\r\n", part))), HasSubstr("more than 16777216 bytes"));
  EXPECT_THAT(get_error(HostileServer(endless("HTTP/1.1 200 OK\r\n", "X: " + part + "\r\n"))),
              HasSubstr("a head of more"));
  EXPECT_THAT(stream(HostileServer(endless(kEvents, part))).result.error().message,
              HasSubstr("an event of more than 1048576 bytes"));
  EXPECT_THAT(stream(HostileServer(endless(kEvents, "data: x\r\n"))).result.error().message,
              HasSubstr("an event of more than 1048576 bytes"));
  EXPECT_LT(current_memory(), before + (uint64_t{512} << 20));
}

TEST(HttpClient, NothingIsUnpacked) {
  // A kilobyte of gzip's header would do as the beginning of a bomb.
  const std::string reply =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b";
  EXPECT_THAT(get_error(HostileServer(reply)), HasSubstr("encoded as 'gzip', which was not asked for"));
}

TEST(HttpClient, EventsComeAsTheyAreSent) {
  const Streamed streamed = stream(HostileServer(
      std::string(kEvents) + ": hello\n\ndata: one\n\nevent: x\ndata: two\r\n\r\ndata: [DONE]\n\ndata: three\n\n"));
  EXPECT_TRUE(streamed.result);
  EXPECT_THAT(streamed.events, ElementsAre("one", "two", "[DONE]"));
  const Streamed whole = stream(HostileServer(reply_of("200 OK", "application/json; charset=utf-8", R"({"a":1})")));
  EXPECT_THAT(whole.events, ElementsAre(R"({"a":1})"));
}

TEST(HttpClient, WhatBreaksOffIsAnError) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  const Streamed chunked = stream(HostileServer(head + "Transfer-Encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n"));
  EXPECT_THAT(chunked.events, ElementsAre("one"));
  EXPECT_THAT(chunked.result.error().message, HasSubstr("the reply was cut off"));
  EXPECT_THAT(get_error(HostileServer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")), HasSubstr("cut off"));
}

TEST(HttpClient, SilenceEnds) {
  HostileServer silent([&](int socket, const std::string&) {
    HostileServer::send(socket, kEvents);
    char byte;
    ::recv(socket, &byte, 1, 0);  // until the client leaves
  });
  EXPECT_THAT(stream(silent, {.silence_time = milliseconds(200)}).result.error().message,
              HasSubstr("nothing came for 0.2 s"));
  HostileServer slow([](int socket, const std::string&) {
    HostileServer::send(socket, "HTTP/1.1 200 OK\r\nX: ");
    while (HostileServer::send(socket, "y")) std::this_thread::sleep_for(milliseconds(20));
  });
  EXPECT_THAT(get_error(slow, {.whole_time = milliseconds(300)}), HasSubstr("timed out"));
}

TEST(HttpClient, AnInterruptEndsATransferAtOnce) {
  const FileDescriptor interrupt(::eventfd(0, 0));
  bool left = false;
  {
    HostileServer server([&](int socket, const std::string&) {
      HostileServer::send(socket, std::string(kEvents).append("data: one\n\n"));
      const uint64_t one = 1;
      ASSERT_EQ(::write(interrupt.get(), &one, sizeof one), ssize_t{sizeof one});
      char byte;
      left = ::recv(socket, &byte, 1, 0) <= 0;
    });
    HttpClient http = client_with();
    http.set_interrupts({interrupt.get()});
    const auto result = http.post_events(server.url("/x"), {}, [](std::string_view) -> Result<bool> { return true; });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::cancelled);
  }
  EXPECT_TRUE(left);
}

TEST(HttpClient, ConnectionsAreKept) {
  int n_connections = 0;
  HostileServer server([&](int socket, const std::string&) {
    ++n_connections;
    const std::string_view reply = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    HostileServer::send(socket, reply);
    char bytes[1000];
    if (::recv(socket, bytes, sizeof bytes, 0) > 0) HostileServer::send(socket, reply);
  });
  HttpClient http = client_with();
  EXPECT_EQ(http.get(server.url()).value(), "a");
  EXPECT_EQ(http.get(server.url()).value(), "a");
  EXPECT_EQ(n_connections, 1);
}

class KeyTest : public ::testing::Test {
 protected:
  void SetUp() override { TearDown(); }
  void TearDown() override {
    ::unsetenv("OGAS_API_KEY");
    ::unsetenv("OPENAI_API_KEY");
  }
};

TEST_F(KeyTest, GoesWhereItMayBeSeen) {
  const ServerUrl open = parse_server_url("http://models.example").value();
  const ServerUrl here = parse_server_url("localhost:8080").value();
  const ServerUrl tls = parse_server_url("https://models.example").value();
  EXPECT_EQ(key_from_environment(tls).value(), "");
  ::setenv("OPENAI_API_KEY", " sk-1\n", 1);
  EXPECT_EQ(key_from_environment(tls).value(), "sk-1");
  EXPECT_EQ(key_from_environment(here).value(), "sk-1");
  EXPECT_EQ(key_from_environment(open).value(), "");
  ::setenv("OGAS_API_KEY", "first,second", 1);
  for (const ServerUrl& url : {open, here, tls}) EXPECT_EQ(key_from_environment(url).value(), "first");
  ::setenv("OGAS_API_KEY", "a\r\nHost: x", 1);
  EXPECT_THAT(key_from_environment(here).error().message, AllOf(HasSubstr("no key can hold"), Not(HasSubstr("Host"))));
}

TEST(ServerUrl, IsReadAsPeopleWriteIt) {
  const auto both = [](std::string_view text) {
    const auto url = parse_server_url(text);
    return url ? url->root + " " + url->api : url.error().message;
  };
  EXPECT_EQ(both("localhost:8080"), "http://localhost:8080 http://localhost:8080/v1");
  EXPECT_EQ(both("http://localhost:8080/"), "http://localhost:8080 http://localhost:8080/v1");
  EXPECT_EQ(both("http://localhost:8080/v1/"), "http://localhost:8080 http://localhost:8080/v1");
  EXPECT_EQ(both("https://a.example/api/v1"), "https://a.example/api https://a.example/api/v1");
  EXPECT_EQ(both("https://a.example/v1beta/openai"), "https://a.example/v1beta/openai https://a.example/v1beta/openai");
  EXPECT_EQ(both("https://a.example/api"), "https://a.example/api https://a.example/api/v1");
  EXPECT_EQ(both("http://[::1]:80/"), "http://[::1]:80 http://[::1]:80/v1");
  for (const std::string_view bad : {"", "http://", "a b", "http://x:99999", "localhost:port", "http://a\nb"})
    EXPECT_THAT(both(bad), HasSubstr("is not the URL of a server")) << bad;
  EXPECT_THAT(both("file:///etc/passwd"), HasSubstr("where http or https is expected"));
  EXPECT_THAT(both("http://me:secret@x"), AllOf(HasSubstr("OGAS_API_KEY"), Not(HasSubstr("secret@"))));
  EXPECT_THAT(both("http://x/?a=b"), HasSubstr("has a query"));
}

}  // namespace
}  // namespace ogas::client
