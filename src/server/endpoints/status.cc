// GET /health, /ready, /metrics and /openapi.json
#include <openapi_json.h>  // generated (cmake/OgasServer.cmake)

#include <limits>
#include <ranges>

#include "base/memory.h"
#include "engine/expert_stats.h"
#include "engine/kv_manager.h"
#include "engine/request_settings.h"
#include "server/endpoints/endpoints.h"

namespace ogas::server {

ApiResult<> health(Api&, Call& call) {
  reply_json(*call.exchange, {{"status", "ok"}});
  return {};
}

// Whether new requests would be answered soon: not while the server ends.
ApiResult<> ready(Api& api, Call& call) {
  if (api.draining) return std::unexpected(ApiError(503, "the server is ending"));
  reply_json(*call.exchange, {{"status", "ready"}, {"model", api.model()}});
  return {};
}

namespace {

// What read_request() takes for a setting.
Json schema_of(const SamplingSetting& setting) {
  Json schema = {{"type", {setting.is_float() ? "number" : "integer", "null"}}, {"description", setting.help}};
  if (!setting.choices.empty()) {
    for (const auto one : std::views::split(setting.choices, '|'))
      schema["enum"].push_back(Json::parse(std::string_view(one)));
    schema["enum"].push_back(nullptr);
    return schema;
  }
  if (std::holds_alternative<uint64_t SamplingOptions::*>(setting.member)) {
    schema["minimum"] = std::numeric_limits<int64_t>::min();
    schema["maximum"] = std::numeric_limits<int64_t>::max();
    return schema;
  }
  const auto [min, max] = setting.json_range;
  schema["minimum"] = setting.is_float() ? Json(min) : Json(setting.minus_one ? -1 : static_cast<int64_t>(min));
  schema["maximum"] = setting.is_float() ? Json(max) : Json(static_cast<int64_t>(max));
  return schema;
}

Json schema_of(const RequestSetting& setting) {
  const auto [min, max] = setting.json_range;
  Json schema = {{"type", {setting.is_flag() ? "boolean" : "integer", "null"}}};
  if (setting.is_whole()) {
    schema["minimum"] = min;
    schema["maximum"] = max;
  }
  if (setting.is_list()) {
    const Json text = {{"type", "string"}, {"minLength", 1}}, null = {{"type", "null"}};
    const Json texts = {{"type", "array"}, {"items", text}, {"maxItems", max}};
    schema = {{"anyOf", Json::array({text, texts, null})}};
  }
  schema["description"] = setting.help;
  return schema;
}

}  // namespace

// openapi.json with the rows of sampling_settings() and request_settings(), where a schema of it asks for them. Their
// other names are taken and not described: a request may not have both. max_tokens has other names and meanings of 0 at
// each endpoint, and is described there.
std::string api_description() {
  Json description = Json::parse(kOpenApiJson);
  for (auto& [name, schema] : description["components"]["schemas"].items()) {
    if (schema.erase("x-settings") == 0) continue;
    for (const SamplingSetting& setting : sampling_settings())
      if (!setting.is_list()) schema["properties"][std::string(setting.name)] = schema_of(setting);
    for (const RequestSetting& setting : request_settings())
      if (setting.is_in_json && setting.name != "max_tokens")
        schema["properties"][std::string(setting.name)] = schema_of(setting);
  }
  return to_text(description);
}

ApiResult<> openapi(Api&, Call& call) {
  static const std::string description = api_description();
  call.exchange->reply({.body = description});
  return {};
}

ApiResult<> metrics(Api& api, Call& call) {
  // The engine's own figures belong to its thread, which answers between two steps.
  api.engine_thread.post([&api, exchange = call.exchange](Engine& engine) {
    const EngineThread::Load load = api.engine_thread.load();
    Metrics::Now now{.n_running = load.n_running,
                     .n_waiting = load.n_waiting,
                     .n_connections = api.n_connections ? api.n_connections() : 0,
                     .n_preemptions = load.n_preemptions,
                     .kv_bytes_used = engine.kv().bytes_used() + engine.kv().bytes_cached(),
                     .kv_bytes_cached = engine.kv().bytes_cached(),
                     .kv_bytes_budget = engine.options().kv_budget,
                     .memory_bytes = current_memory()};
    if (const auto experts = expert_stats(engine)) {
      now.reads_experts = true;
      now.expert_hits = experts->n_hits;
      now.expert_misses = experts->n_uses - experts->n_hits;
      now.expert_bytes_read = experts->n_bytes;
      now.expert_wait_seconds = experts->wait_seconds;
    }
    exchange->reply(
        {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = api.metrics.prometheus(api.model(), now)});
  });
  return {};
}

}  // namespace ogas::server
