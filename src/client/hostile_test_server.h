// A server in the test's own process that sends exactly what a test says, well or badly.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "base/check.h"
#include "base/file_descriptor.h"

namespace ogas::client {

class HostileServer {
 public:
  // Called for each connection once its request has arrived, with the socket and the request. The connection is closed
  // when it returns. One connection at a time.
  using Serve = std::function<void(int socket, const std::string& request)>;

  explicit HostileServer(Serve serve) : serve_(std::move(serve)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    OGAS_CHECK(::bind(listener_.get(), generic, size) == 0 && ::listen(listener_.get(), 16) == 0, "no socket");
    ::getsockname(listener_.get(), generic, &size);
    port_ = ::ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  // What a test has always sent the same way.
  explicit HostileServer(std::string reply)
      : HostileServer([reply = std::move(reply)](int socket, const std::string&) { send(socket, reply); }) {}
  ~HostileServer() {
    ends_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string url(std::string_view path = "") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  // False once the client has gone.
  static bool send(int socket, std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  bool ends() const { return ends_; }

 private:
  void run() {
    while (!ends_) {
      const FileDescriptor socket(::accept(listener_.get(), nullptr, nullptr));
      if (socket.get() < 0) return;
      serve_(socket.get(), read_request(socket.get()));
    }
  }
  static std::string read_request(int socket) {
    std::string request;
    char bytes[4096];
    size_t wanted = std::string::npos;
    while (request.size() < wanted) {
      const ssize_t n = ::recv(socket, bytes, sizeof bytes, 0);
      if (n <= 0) return request;
      request.append(bytes, static_cast<size_t>(n));
      const size_t head = request.find("\r\n\r\n");
      if (head == std::string::npos || wanted != std::string::npos) continue;
      const size_t length = request.find("Content-Length: ");
      wanted = head + 4 + (length < head ? std::stoul(request.substr(length + 16)) : 0);
    }
    return request;
  }

  Serve serve_;
  FileDescriptor listener_;
  uint16_t port_ = 0;
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

inline std::string reply_of(std::string_view status, std::string_view type, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + std::string(body);
}

}  // namespace ogas::client
