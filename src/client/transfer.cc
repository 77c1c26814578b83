#include "client/transfer.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <new>
#include <vector>

#include "base/ascii.h"
#include "base/version.h"
#include "client/server_error.h"

namespace ogas::client {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{256} << 10;

// 0 where it is none.
uint64_t number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

const char* certificates_from_environment() {
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"})
    if (const char* path = std::getenv(name); path && *path) return path;
  return nullptr;
}

}  // namespace

Result<Connections> Connections::create() {
  static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  CURLM* multi = ready ? ::curl_multi_init() : nullptr;
  if (!multi) return fail(ErrorCode::out_of_memory, "libcurl did not start");
  return Connections(multi);
}

Transfer::Transfer(const HttpOptions& options, std::string url, std::optional<std::string> body, bool wants_events)
    : options_(options), url_(std::move(url)), body_(std::move(body)), wants_events_(wants_events) {}

Transfer::~Transfer() {
  if (multi_) ::curl_multi_remove_handle(multi_, easy_.get());
}

bool Transfer::add_header(const std::string& line) {
  curl_slist* longer = ::curl_slist_append(headers_.get(), line.c_str());
  if (!longer) return false;
  static_cast<void>(headers_.release());
  headers_.reset(longer);
  return true;
}

Result<> Transfer::start(Connections& connections) {
  easy_.reset(::curl_easy_init());
  if (!easy_) return fail(ErrorCode::out_of_memory, "no memory for a request");
  OGAS_TRY(set_options());
  if (::curl_multi_add_handle(connections.get(), easy_.get()) != CURLM_OK)
    return fail(ErrorCode::out_of_memory, "no memory for a request");
  multi_ = connections.get();
  return {};
}

Result<> Transfer::set_options() {
  bool fine = add_header(wants_events_ ? "Accept: text/event-stream, application/json" : "Accept: */*");
  if (!options_.key.empty()) fine &= add_header("Authorization: Bearer " + options_.key);
  if (options_.first_bytes > 0) fine &= add_header(fmt::format("Range: bytes=0-{}", options_.first_bytes - 1));
  if (body_) fine &= add_header("Content-Type: application/json") && add_header("Expect:");
  const auto set = [&](CURLoption option, auto value) {
    fine &= ::curl_easy_setopt(easy_.get(), option, value) == CURLE_OK;
  };
  set(CURLOPT_URL, url_.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name that does not resolve must not hold up who gives up
  set(CURLOPT_USERAGENT, ("ogas/" + std::string(version())).c_str());
  set(CURLOPT_HTTPHEADER, headers_.get());
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_time.count()));
  if (options_.whole_time.count() > 0) set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.whole_time.count()));
  set(CURLOPT_ERRORBUFFER, error_.data());
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  if (const char* path = certificates_from_environment()) set(CURLOPT_CAINFO, path);
  if (body_) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_->size()));
    set(CURLOPT_POSTFIELDS, body_->data());
  }
  if (!fine) return fail(ErrorCode::io, "{}: libcurl refuses this request", one_line(url_));
  return {};
}

size_t Transfer::on_body(char* bytes, size_t, size_t n, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.heard_ = Clock::now();
  try {  // libcurl is C: nothing may be thrown through it
    transfer.pending_.append(bytes, n);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return n;
}

size_t Transfer::on_header(char* bytes, size_t, size_t n, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.heard_ = Clock::now();
  try {
    return transfer.take_header({bytes, n}) ? n : 0;
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

bool Transfer::take_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) return false;
  if (line.starts_with("HTTP/")) {  // a further head, after 100 Continue or of a proxy
    type_.clear();
    encoding_.clear();
    location_.clear();
    length_ = range_of_ = 0;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string name = lower_ascii(line.substr(0, colon));
  const std::string_view value = trim_blank(line.substr(colon + 1));
  if (name == "content-type") type_ = lower_ascii(value);
  if (name == "content-encoding") encoding_ = lower_ascii(value);
  if (name == "location") location_ = value;
  if (name == "content-length") length_ = number_of(value);
  if (name == "content-range") range_of_ = number_of(value.substr(std::min(value.find('/') + 1, value.size())));
  return true;
}

Result<std::string> Transfer::redirected() const {
  const char* url = nullptr;  // libcurl has made it absolute
  ::curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &url);
  const std::string next = url ? url : "";
  const bool is_https = next.starts_with("https://");
  if (is_https || (next.starts_with("http://") && url_.starts_with("http://"))) return next;
  return fail(ErrorCode::io, "{}: moved to {}, where it is not followed", one_line(url_), one_line(next));
}

long Transfer::status() const {
  long status = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

Result<> Transfer::run(std::span<const int> interrupts, FunctionRef<Result<bool>(std::string_view)> take) {
  heard_ = Clock::now();
  for (;;) {
    int n_running = 0;
    if (const CURLMcode code = ::curl_multi_perform(multi_, &n_running))
      return fail(ErrorCode::io, "{}", ::curl_multi_strerror(code));
    if (!pending_.empty()) {
      const bool wants_more = OGAS_TRY(take(pending_));
      pending_.clear();
      if (!wants_more) return {};
    }
    if (n_running == 0) return result();
    OGAS_TRY(wait(interrupts));
  }
}

Result<> Transfer::wait(std::span<const int> interrupts) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(heard_ + options_.silence_time - Clock::now());
  if (left.count() <= 0)
    return fail(ErrorCode::io, "nothing came for {:.3g} s",
                std::chrono::duration<double>(options_.silence_time).count());
  std::vector<curl_waitfd> waiting;
  for (const int fd : interrupts) waiting.push_back({fd, CURL_WAIT_POLLIN, 0});
  const CURLMcode code = ::curl_multi_poll(multi_, waiting.data(), static_cast<unsigned>(waiting.size()),
                                           static_cast<int>(std::min<int64_t>(left.count(), 1000)), nullptr);
  if (code != CURLM_OK) return fail(ErrorCode::io, "{}", ::curl_multi_strerror(code));
  if (std::ranges::any_of(waiting, [](const curl_waitfd& one) { return one.revents != 0; }))
    return fail(ErrorCode::cancelled, "interrupted");
  return {};
}

Result<> Transfer::result() const {
  int n_left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_, &n_left)) {
    if (message->msg != CURLMSG_DONE || message->easy_handle != easy_.get()) continue;
    if (message->data.result == CURLE_OK) return {};
    return fail(ErrorCode::io, "{}", describe(message->data.result));
  }
  return fail(ErrorCode::io, "the transfer ended without a result");
}

std::string Transfer::describe(CURLcode code) const {
  if (header_bytes_ > kMaxHeaderBytes) return fmt::format("a head of more than {} bytes", kMaxHeaderBytes);
  switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2_STREAM: return "the reply was cut off (" + one_line(error_.data()) + ")";
    case CURLE_GOT_NOTHING: return "the server closed the connection without a reply";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: return "what answers there does not speak HTTP";
    case CURLE_SSL_CONNECT_ERROR:
      return fmt::format("no TLS with what answers there, which may speak http alone ({})", one_line(error_.data()));
    case CURLE_PEER_FAILED_VERIFICATION:
      return fmt::format("{}; CURL_CA_BUNDLE can name a file of certificates to trust", one_line(error_.data()));
    case CURLE_WRITE_ERROR: return "no memory for the reply";
    default: return error_[0] ? one_line(error_.data()) : ::curl_easy_strerror(code);
  }
}

}  // namespace ogas::client
