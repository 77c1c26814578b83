// HTTP as a client of a server that may be slow, broken or hostile.
//
// Redirects are not followed, since a key would go along; replies come uncompressed; proxies are those of the
// environment, as curl knows them; certificates are the system's, or those of CURL_CA_BUNDLE or SSL_CERT_FILE.
// Errors begin with the URL. Codes: io (no connection, a reply that breaks off, is too large or no JSON), cancelled,
// and those of error_of_status().
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/event_stream.h"
#include "client/server_url.h"

namespace ogas::client {

struct HttpOptions {
  std::string key = {};                                 // "Authorization: Bearer KEY"; empty: nothing is sent
  std::chrono::milliseconds connect_time{10'000};       // until the connection is established
  std::chrono::milliseconds silence_time{15 * 60'000};  // until the next byte; a long prompt may take minutes
  std::chrono::milliseconds whole_time{0};              // for all of it; 0: as long as it takes
  size_t first_bytes = 0;                               // ask for this many bytes of the reply; 0: for all
  size_t reply_bytes = size_t{16} << 20;                // largest reply, and most of a stream before its type is known
  size_t event_bytes = size_t{1} << 20;                 // largest event of a stream
};

// The first bytes of something large.
struct Beginning {
  std::string bytes;
  uint64_t n_whole = 0;  // bytes of all of it
};

// The key for this server: OGAS_API_KEY, or OPENAI_API_KEY, which is not for everybody's eyes and so is only sent where
// nobody can read along. Errors: usage (a key with characters that no header can hold).
Result<std::string> key_from_environment(const ServerUrl& url);

class HttpClient {
 public:
  static Result<HttpClient> create(HttpOptions options);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // A transfer ends with `cancelled` as soon as one of these can be read from. They are not read.
  void set_interrupts(std::vector<int> descriptors);

  Result<std::string> get(const std::string& url);
  Result<nlohmann::json> get_json(const std::string& url);
  // At most n bytes, by a range request or, where the server knows none, by leaving early. Redirects are followed, to
  // https from https, and the key goes nowhere. Errors: io, too, where nobody says how long the whole is.
  Result<Beginning> get_beginning(std::string url, size_t n);
  Result<nlohmann::json> post_json(const std::string& url, const nlohmann::json& body);
  // What is answered with a whole JSON text comes as one event. Where `take` wants no more, the connection is closed.
  Result<> post_events(const std::string& url, const nlohmann::ordered_json& body, EventStream::TakeEvent take);

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ogas::client
