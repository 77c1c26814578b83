// GET /health, /ready, /metrics and /openapi.json
#include <openapi_json.h>  // generated (cmake/OgasServer.cmake)
#include "base/memory.h"
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

ApiResult<> openapi(Api&, Call& call) {
  call.exchange->reply({.body = std::string(kOpenApiJson)});
  return {};
}

ApiResult<> metrics(Api& api, Call& call) {
  // The engine's own figures belong to its thread, which answers between two steps.
  api.engine_thread.post([&api, exchange = call.exchange](Engine& engine) {
    const EngineThread::Load load = api.engine_thread.load();
    Metrics::Now now{.n_running = load.n_running,
                     .n_waiting = load.n_waiting,
                     .n_connections = api.n_connections ? api.n_connections() : 0,
                     .n_pauses = load.n_pauses,
                     .kv_bytes_used = engine.kv_bytes_used() + engine.kv_bytes_cached(),
                     .kv_bytes_cached = engine.kv_bytes_cached(),
                     .kv_bytes_budget = engine.options().kv_budget,
                     .memory_bytes = current_memory()};
    if (const ExpertStore* experts = engine.experts()) {
      const ExpertStore::Stats stats = experts->stats();
      now.reads_experts = true;
      now.expert_hits = stats.n_hits;
      now.expert_misses = stats.n_uses - stats.n_hits;
      now.expert_bytes_read = stats.n_bytes;
      now.expert_wait_seconds = stats.wait_seconds;
    }
    exchange->reply(
        {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = api.metrics.prometheus(api.model(), now)});
  });
  return {};
}

}  // namespace ogas::server
