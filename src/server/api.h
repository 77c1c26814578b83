// What all endpoints share: the engine, who asks, and what has been counted.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "chat/output_format.h"
#include "engine/engine.h"
#include "engine/engine_thread.h"
#include "server/api_keys.h"
#include "server/http/api_error.h"
#include "server/http/http_message.h"
#include "server/metrics.h"
#include "server/request/json_fields.h"

namespace ogas::server {

struct ApiOptions {
  std::vector<std::string> names;  // of the model, as clients ask for it; the first is told
  SamplingOptions sampling;        // where a request says nothing
  uint32_t max_choices = 16;       // answers to one request
  bool native_tools_only = false;  // refuse tools where the model's templates do not support them
};

// How an API writes an error. id: the request's.
using ErrorReply = HttpReply (*)(const ApiError& error, std::string_view id);
// As OpenAI's does.
HttpReply reply_of(const ApiError& error, std::string_view id = {});

// A request that is being answered, and its client.
struct Call {
  HttpRequest request;
  HttpExchangePtr exchange;
  Client client;
  std::chrono::steady_clock::time_point received = std::chrono::steady_clock::now();
  ErrorReply error_reply = reply_of;
};

class Api {
 public:
  Api(Engine& engine, EngineThread& engine_thread, ApiKeys& keys, ApiOptions options);

  Engine& engine;
  EngineThread& engine_thread;
  ApiKeys& keys;
  Metrics metrics;
  const ApiOptions options;
  const int64_t created;          // when the model was loaded, in seconds since 1970
  const std::string fingerprint;  // of what makes answers what they are: program, instruction set, model
  std::atomic<bool> draining = false;
  std::function<size_t()> n_connections = {};  // from any thread

  // Of the model's answers.
  const OutputFormat& format(bool has_tools) const { return engine.text().output_format(has_tools); }
  const std::string& model() const { return options.names.front(); }
  // Errors: not the model that is served.
  ApiResult<> check_model(Fields& fields) const;
  ApiResult<const Tokenizer*> tokenizer() const;
  // Errors: the context has no space left for an answer.
  ApiResult<> check_length(size_t n_prompt, std::string_view path) const;
};

// What an endpoint is: it answers through the call's exchange, at once or later. Its error is the answer else.
using Endpoint = ApiResult<> (*)(Api& api, Call& call);

// Seconds since 1970.
int64_t unix_time();
// "2026-11-26T12:00:00Z"
std::string time_text(int64_t unix_seconds);
// "chatcmpl-" and 24 letters and digits.
std::string new_id(std::string_view prefix);
void reply_json(HttpExchange& exchange, const Json& json, unsigned status = 200);
void reply_error(HttpExchange& exchange, const ApiError& error);
// What begins a stream of events, each written by event().
HttpReply events_head();
std::string event(const Json& json, std::string_view name = {});

}  // namespace ogas::server
