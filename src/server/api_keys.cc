#include "server/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/ascii.h"
#include "base/file.h"
#include "base/quote.h"

namespace ogas::server {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::array<unsigned char, 32> hash_of(std::string_view key) {
  std::array<unsigned char, 32> hash;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), hash.data());
  return hash;
}

std::string_view take_word(std::string_view& line) {
  const size_t begin = std::min(line.find_first_not_of(kBlank), line.size());
  const size_t end = std::min(line.find_first_of(kBlank, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace

void ApiKeys::Bucket::fill(Clock::time_point now) {
  if (per_minute <= 0) return;
  const double seconds = since == Clock::time_point() ? 60 : std::chrono::duration<double>(now - since).count();
  level = std::min(per_minute, level + seconds * per_minute / 60);
  since = now;
}

double ApiKeys::Bucket::missing_seconds(double amount) const {
  return per_minute <= 0 || level >= amount ? 0 : (amount - level) * 60 / per_minute;
}

Result<std::vector<ApiKeys::Key>> ApiKeys::parse(std::string_view text) {
  std::vector<Key> keys;
  size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::string_view word = take_word(line);
    if (word.empty()) continue;
    Key key{.hash = hash_of(word), .name = fmt::format("key {}", keys.size() + 1), .requests = {}, .tokens = {}};
    for (std::string_view option = take_word(line); !option.empty(); option = take_word(line)) {
      const size_t equals = option.find('=');
      const std::string_view name = option.substr(0, equals);
      const std::string_view value = equals == std::string_view::npos ? "" : option.substr(equals + 1);
      double number = 0;
      const bool is_number =
          std::from_chars(value.data(), value.data() + value.size(), number).ptr == value.data() + value.size() &&
          number > 0 && std::isfinite(number);
      if (name == "name" && !value.empty())
        key.name = std::string(value);
      else if (name == "requests_per_minute" && is_number)
        key.requests.per_minute = number;
      else if (name == "tokens_per_minute" && is_number)
        key.tokens.per_minute = number;
      else
        return fail(ErrorCode::bad_file, "line {}: {} is none of name=TEXT, requests_per_minute=N, tokens_per_minute=N",
                    line_number, in_quotes(option));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<std::unique_ptr<ApiKeys>> ApiKeys::read(const std::filesystem::path& file, std::string_view from_environment) {
  auto keys = std::make_unique<ApiKeys>();
  keys->file_ = file;
  keys->from_environment_ = std::string(from_environment);
  std::ranges::replace(keys->from_environment_, ',', '\n');
  OGAS_TRY(keys->reload());
  if (!file.empty() && keys->empty()) return fail(ErrorCode::bad_file, "{} holds no key", file.string());
  return keys;
}

Result<> ApiKeys::reload() {
  std::string text;
  if (!file_.empty()) text = OGAS_TRY(read_file(file_, size_t{1} << 20));
  auto fresh = parse(text);
  if (!fresh) return fail_within(fresh.error(), "{}", file_.string());
  for (Key& key : OGAS_TRY(parse(from_environment_))) fresh->push_back(std::move(key));
  const std::lock_guard lock(mutex_);
  for (Key& key : *fresh)
    if (const Key* before = named(key.name)) {
      key.requests.level = before->requests.level;
      key.requests.since = before->requests.since;
      key.tokens.level = before->tokens.level;
      key.tokens.since = before->tokens.since;
    }
  keys_ = *std::move(fresh);
  return {};
}

ApiKeys::Key* ApiKeys::named(std::string_view name) {
  const auto found = std::ranges::find(keys_, name, &Key::name);
  return found == keys_.end() ? nullptr : &*found;
}

bool ApiKeys::empty() const {
  const std::lock_guard lock(mutex_);
  return keys_.empty();
}

ApiResult<Client> ApiKeys::find(std::string_view authorization, std::string_view other_key) const {
  const std::lock_guard lock(mutex_);
  if (keys_.empty()) return Client{};
  constexpr std::string_view kBearer = "bearer ";
  const bool is_bearer =
      authorization.size() > kBearer.size() && lower_ascii(authorization.substr(0, kBearer.size())) == kBearer;
  const auto hash = hash_of(is_bearer ? authorization.substr(kBearer.size()) : other_key);
  const Key* found = nullptr;
  for (const Key& key : keys_)
    if (CRYPTO_memcmp(key.hash.data(), hash.data(), hash.size()) == 0) found = &key;
  if (found) return Client{found->name};
  const bool is_given = is_bearer || !other_key.empty();
  ApiError error(401, is_given ? "this API key is not valid" : "an API key is needed: Authorization: Bearer KEY", {},
                 "invalid_api_key");
  error.headers.emplace_back("WWW-Authenticate", "Bearer");
  return std::unexpected(error);
}

ApiResult<> ApiKeys::admit(const Client& client) {
  const std::lock_guard lock(mutex_);
  Key* key = named(client.name);
  if (!key) return {};
  const auto now = Clock::now();
  key->requests.fill(now);
  key->tokens.fill(now);
  const double seconds = std::max(key->requests.missing_seconds(1), key->tokens.missing_seconds(1));
  if (seconds <= 0) {
    key->requests.level -= 1;
    return {};
  }
  const bool is_requests = key->requests.missing_seconds(1) > 0;
  ApiError error(429,
                 fmt::format("this key may have {} {} a minute; try again in {:.0f} seconds",
                             is_requests ? key->requests.per_minute : key->tokens.per_minute,
                             is_requests ? "requests" : "tokens", std::ceil(seconds)),
                 {}, "rate_limit_exceeded");
  error.headers.emplace_back("Retry-After", fmt::format("{:.0f}", std::ceil(seconds)));
  return std::unexpected(error);
}

void ApiKeys::charge(const Client& client, uint64_t n_tokens) {
  const std::lock_guard lock(mutex_);
  if (Key* key = named(client.name)) key->tokens.level -= static_cast<double>(n_tokens);
}

}  // namespace ogas::server
