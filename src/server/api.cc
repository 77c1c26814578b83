#include "server/api.h"

#include <algorithm>
#include <ctime>
#include <random>

#include "base/version.h"

namespace ogas::server {

Api::Api(Engine& served, EngineThread& thread, ApiKeys& api_keys, ApiOptions api_options)
    : engine(served),
      engine_thread(thread),
      keys(api_keys),
      options(std::move(api_options)),
      created(unix_time()),
      fingerprint(fmt::format("ogas-{}-{}", version(), served.isa())) {}

ApiResult<> Api::check_model(Fields& fields) const {
  const auto name = OGAS_TRY(fields.text("model"));
  if (!name || std::ranges::find(options.names, *name) != options.names.end()) return {};
  return std::unexpected(ApiError(404, fmt::format("the model '{}' is not served here; '{}' is", *name, model()),
                                  fields.path_of("model"), "model_not_found"));
}

ApiResult<const Tokenizer*> Api::tokenizer() const { return OGAS_TRY(engine.text().tokenizer_or_error()); }

ApiResult<> Api::check_length(size_t n_prompt, std::string_view path) const {
  const size_t n_ctx = engine.options().n_ctx;
  if (n_prompt <= n_ctx) return {};
  // The words that OpenAI and vLLM have for it: clients look for them, and shorten the conversation then.
  return std::unexpected(ApiError(400,
                                  fmt::format("This model's maximum context length is {} tokens. However, the prompt "
                                              "has {} tokens, {} too many. Please reduce its length.",
                                              n_ctx, n_prompt, n_prompt - n_ctx),
                                  std::string(path), "context_length_exceeded"));
}

int64_t unix_time() { return static_cast<int64_t>(std::time(nullptr)); }

std::string time_text(int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::string text(20, '\0');
  std::strftime(text.data(), text.size() + 1, "%FT%TZ", &parts);
  return text;
}

std::string new_id(std::string_view prefix) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::uniform_int_distribution<size_t> letter(0, kLetters.size() - 1);
  std::string id(prefix);
  for (int idx = 0; idx < 24; ++idx) id += kLetters[letter(random)];
  return id;
}

void reply_json(HttpExchange& exchange, const Json& json, unsigned status) {
  exchange.reply({.status = status, .body = to_text(json)});
}

HttpReply reply_of(const ApiError& error, std::string_view) {
  return {.status = error.status, .body = error.json(), .headers = error.headers};
}

void reply_error(HttpExchange& exchange, const ApiError& error) { exchange.reply(reply_of(error)); }

HttpReply events_head() { return {.content_type = "text/event-stream"}; }

std::string event(const Json& json, std::string_view name) {
  return name.empty() ? fmt::format("data: {}\n\n", to_text(json))
                      : fmt::format("event: {}\ndata: {}\n\n", name, to_text(json));
}

}  // namespace ogas::server
