// One request and its reply through libcurl. What http_client.h is made of.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "client/http_client.h"

namespace ogas::client {

// Connections to servers, kept from one transfer to the next.
class Connections {
 public:
  static Result<Connections> create();
  CURLM* get() const { return multi_.get(); }

 private:
  struct Deleter {
    void operator()(CURLM* multi) const { ::curl_multi_cleanup(multi); }
  };
  explicit Connections(CURLM* multi) : multi_(multi) {}
  std::unique_ptr<CURLM, Deleter> multi_;
};

class Transfer {
 public:
  // The options must outlive it. With a body it is a POST of JSON.
  Transfer(const HttpOptions& options, std::string url, std::optional<std::string> body, bool wants_events);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The connections must outlive it.
  Result<> start(Connections& connections);
  // Until the reply has ended. take(bytes): of its body, once the head is known; false ends it there. Errors: those of
  // `take`, io, and cancelled where one of `interrupts` can be read from.
  Result<> run(std::span<const int> interrupts, FunctionRef<Result<bool>(std::string_view)> take);

  // Of the reply, once there is a body or it has ended.
  long status() const;
  bool is_success() const { return status() / 100 == 2; }
  bool is_event_stream() const { return type_.starts_with("text/event-stream"); }
  const std::string& encoding() const { return encoding_; }
  const std::string& location() const { return location_; }
  // Bytes of what the reply is, or is the beginning of; 0: not told.
  uint64_t n_whole() const { return range_of_ > 0 ? range_of_ : length_; }
  // Where it sends to. Errors: io, where that is another scheme than http and https, or http from https.
  Result<std::string> redirected() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct EasyDeleter {
    void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
  };

  // Both return how many bytes they took; fewer than there are ends the transfer.
  static size_t on_body(char* bytes, size_t, size_t n, void* self);
  static size_t on_header(char* bytes, size_t, size_t n, void* self);
  bool take_header(std::string_view line);
  bool add_header(const std::string& line);
  Result<> set_options();
  Result<> wait(std::span<const int> interrupts);
  Result<> result() const;
  std::string describe(CURLcode code) const;

  const HttpOptions& options_;
  std::string url_;
  std::optional<std::string> body_;
  bool wants_events_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  CURLM* multi_ = nullptr;  // while it is among its transfers
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::string pending_;  // of the body, not taken yet
  std::string type_, encoding_, location_;
  uint64_t length_ = 0, range_of_ = 0;
  size_t header_bytes_ = 0;
  Clock::time_point heard_ = Clock::now();  // the last byte
};

}  // namespace ogas::client
