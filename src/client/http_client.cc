#include "client/http_client.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <optional>

#include "base/quote.h"
#include "client/server_error.h"
#include "client/transfer.h"

namespace ogas::client {
namespace {

Result<nlohmann::json> parse_json(const std::string& url, std::string_view body) {
  auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    return fail(ErrorCode::io, "{}: {}, where JSON is expected", url,
                body.empty() ? "nothing was sent" : in_quotes(body) + " was sent");
  return json;
}

template <class Json>
std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<std::string> key_from_environment(const ServerUrl& url) {
  const auto read = [](const char* name) {
    const char* text = std::getenv(name);
    std::string key = text ? text : "";
    // A server's own list of keys: any of them will do.
    key.resize(std::min(key.size(), key.find(',')));
    while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
    key.erase(0, std::min(key.size(), key.find_first_not_of(" \t\r\n")));
    return key;
  };
  std::string key = read("OGAS_API_KEY");
  if (key.empty() && url.is_private) key = read("OPENAI_API_KEY");
  if (std::ranges::any_of(key, [](unsigned char c) { return c <= 0x20 || c >= 0x7F; }))
    return fail(ErrorCode::usage, "the key in OGAS_API_KEY or OPENAI_API_KEY holds characters that no key can hold");
  return key;
}

struct HttpClient::State {
  HttpOptions options;
  Connections connections;
  std::vector<int> interrupts;

  // The body of the reply; `take`: of a stream its events, and nothing is returned then.
  Result<std::string> exchange(const std::string& url, std::optional<std::string> body,
                               std::optional<EventStream::TakeEvent> take);
};

Result<std::string> HttpClient::State::exchange(const std::string& url, std::optional<std::string> body,
                                                std::optional<EventStream::TakeEvent> take) {
  Transfer transfer(options, url, std::move(body), take.has_value());
  OGAS_TRY(transfer.start(connections));
  EventStream events(options.event_bytes);
  std::string reply;
  const auto take_bytes = [&](std::string_view bytes) -> Result<bool> {
    if (transfer.is_success() && transfer.is_event_stream() && take) return events.push(bytes, *take);
    if (reply.size() + bytes.size() > options.reply_bytes)
      return fail(ErrorCode::io, "a reply of more than {} bytes", options.reply_bytes);
    reply += bytes;
    return true;
  };
  if (auto done = transfer.run(interrupts, take_bytes); !done) return fail_within(done.error(), "{}", url);
  if (transfer.status() / 100 == 3)
    return fail(ErrorCode::io, "{}: status {}: moved to {}; redirects are not followed, so give that URL itself", url,
                transfer.status(), transfer.location().empty() ? "nowhere" : in_quotes(transfer.location()));
  if (!transfer.is_success()) return std::unexpected(error_of_status(url, transfer.status(), reply));
  if (!transfer.encoding().empty() && transfer.encoding() != "identity")
    return fail(ErrorCode::io, "{}: the reply is encoded as {}, which was not asked for", url,
                in_quotes(transfer.encoding()));
  return reply;
}

Result<HttpClient> HttpClient::create(HttpOptions options) {
  auto connections = OGAS_TRY(Connections::create());
  return HttpClient(std::make_unique<State>(State{std::move(options), std::move(connections), {}}));
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

void HttpClient::set_interrupts(std::vector<int> descriptors) { state_->interrupts = std::move(descriptors); }

Result<std::string> HttpClient::get(const std::string& url) { return state_->exchange(url, {}, {}); }

Result<Beginning> HttpClient::get_beginning(std::string url, size_t n) {
  constexpr int kMaxRedirects = 5;
  HttpOptions options = state_->options;
  options.key.clear();
  options.first_bytes = n;
  for (int n_redirects = 0; n_redirects <= kMaxRedirects; ++n_redirects) {
    Transfer transfer(options, url, {}, /*wants_events=*/false);
    OGAS_TRY(transfer.start(state_->connections));
    Beginning beginning;
    const auto take = [&](std::string_view bytes) -> Result<bool> {
      beginning.bytes += bytes.substr(0, n - beginning.bytes.size());
      return beginning.bytes.size() < n;
    };
    if (auto done = transfer.run(state_->interrupts, take); !done)
      return fail_within(done.error(), "{}", one_line(url));
    if (transfer.status() / 100 == 3 && !transfer.location().empty()) {
      url = OGAS_TRY(transfer.redirected());
      continue;
    }
    if (!transfer.is_success()) return std::unexpected(error_of_status(url, transfer.status(), beginning.bytes));
    if (transfer.n_whole() < beginning.bytes.size() || transfer.n_whole() == 0)
      return fail(ErrorCode::io, "{}: the server does not say how long it is", one_line(url));
    beginning.n_whole = transfer.n_whole();
    return beginning;
  }
  return fail(ErrorCode::io, "{}: more than {} redirects", one_line(url), kMaxRedirects);
}

Result<nlohmann::json> HttpClient::get_json(const std::string& url) { return parse_json(url, OGAS_TRY(get(url))); }

Result<nlohmann::json> HttpClient::post_json(const std::string& url, const nlohmann::json& body) {
  return parse_json(url, OGAS_TRY(state_->exchange(url, to_text(body), {})));
}

Result<> HttpClient::post_events(const std::string& url, const nlohmann::ordered_json& body,
                                 EventStream::TakeEvent take) {
  const std::string reply = OGAS_TRY(state_->exchange(url, to_text(body), take));
  if (reply.empty()) return {};
  const nlohmann::json whole = OGAS_TRY(parse_json(url, reply));
  if (auto taken = take(to_text(whole)); !taken) return fail_within(taken.error(), "{}", url);
  return {};
}

}  // namespace ogas::client
