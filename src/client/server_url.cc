#include "client/server_url.h"

#include <curl/curl.h>

#include <memory>

#include "base/ascii.h"
#include "base/quote.h"

namespace ogas::client {
namespace {

struct CurlUrlDeleter {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlDeleter>;

// A part of the URL; empty where it has none.
std::string part_of(const CurlUrl& url, CURLUPart part) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) return {};
  const std::string result = text;
  ::curl_free(text);
  return result;
}

bool is_version(std::string_view part) {
  return part.size() >= 2 && part[0] == 'v' && part[1] >= '0' && part[1] <= '9';
}

bool names_version(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    if (is_version(path.substr(0, path.find('/')))) return true;
    path.remove_prefix(std::min(path.size(), path.find('/')));
  }
  return false;
}

}  // namespace

Result<ServerUrl> parse_server_url(std::string_view text) {
  const CurlUrl url(::curl_url());
  if (!url) return fail(ErrorCode::out_of_memory, "no memory for a URL");
  const std::string whole = text.contains("://") ? std::string(text) : "http://" + std::string(text);
  if (const CURLUcode code = ::curl_url_set(url.get(), CURLUPART_URL, whole.c_str(), CURLU_NON_SUPPORT_SCHEME))
    return fail(ErrorCode::usage, "{} is not the URL of a server, such as http://127.0.0.1:8080 ({})", in_quotes(text),
                ::curl_url_strerror(code));
  const std::string scheme = part_of(url, CURLUPART_SCHEME), host = part_of(url, CURLUPART_HOST);
  if (scheme != "http" && scheme != "https")
    return fail(ErrorCode::usage, "{} begins with {}:, where http or https is expected", in_quotes(text),
                in_quotes(scheme));
  // Not shown: it holds a secret.
  if (!part_of(url, CURLUPART_USER).empty() || !part_of(url, CURLUPART_PASSWORD).empty())
    return fail(ErrorCode::usage, "the server's URL holds a user or a password; a key is given in OGAS_API_KEY");
  if (whole.find_first_of("?#") != std::string::npos)
    return fail(ErrorCode::usage, "{} has a query or a fragment, which the URL of a server has not", in_quotes(text));

  std::string path = part_of(url, CURLUPART_PATH);
  while (path.ends_with('/')) path.pop_back();
  const std::string port = part_of(url, CURLUPART_PORT);
  const std::string origin = scheme + "://" + host + (port.empty() ? "" : ":" + port);
  ServerUrl result;
  result.is_private = scheme == "https" || is_loopback(host);
  result.api = origin + path + (names_version(path) ? "" : "/v1");
  result.root = origin + (path.ends_with("/v1") ? path.substr(0, path.size() - 3) : path);
  return result;
}

}  // namespace ogas::client
