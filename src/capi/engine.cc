// Engines: loading, facts, freeing.
#include <algorithm>
#include <string>

#include "capi/boundary.h"
#include "capi/handles.h"
#include "quant/format.h"

namespace ogas::capi {
namespace {

Result<ExpertPrefetch> expert_prefetch_from_name(std::string_view name) {
  if (name == "auto") return ExpertPrefetch::automatic;
  if (name == "on") return ExpertPrefetch::on;
  if (name == "off") return ExpertPrefetch::off;
  return fail(ErrorCode::usage, "look_ahead is '{}'; auto, on or off is expected", name);
}

Result<EngineOptions> engine_options(const ogas_engine_options& options) {
  EngineOptions result{.n_ctx = options.n_ctx,
                       .n_batch = options.n_batch,
                       .n_threads = options.n_threads,
                       .kv_budget = options.kv_budget,
                       .ram = options.ram,
                       .n_expert_used = options.n_experts,
                       .min_expert_weight = options.min_expert_weight,
                       .prefix_budget = options.prefix_budget};
  if (options.expert_cache > 0) result.expert_cache = options.expert_cache;
  if (options.expert_prefetch) result.expert_prefetch = OGAS_TRY(expert_prefetch_from_name(options.expert_prefetch));
  for (const std::string& folder : OGAS_TRY(read_strings(options.mirrors, options.n_mirrors, "mirrors")))
    result.mirrors.emplace_back(folder);
  if (options.experts_folder) result.experts_folder = options.experts_folder;
  if (options.prefix_folder) result.prefix_folder = options.prefix_folder;
  if (options.chat_template) result.chat_template = options.chat_template;
  if (options.kv_type) {
    const auto format = format_from_name(options.kv_type);
    if (!format)
      return fail(ErrorCode::usage, "kv_type is '{}'; f16, bf16, f32, q8_0 or q4_0 is expected", options.kv_type);
    result.kv_format = *format;
  }
  return result;
}

Result<> load(const char* path, const ogas_engine_options* given, const LoadProgress& progress, ogas_engine** engine) {
  OGAS_TRY(need(path, "path"));
  OGAS_TRY(need(engine, "engine"));
  const auto options = OGAS_TRY(read_struct(given, {}, "ogas_engine_options"));
  SchedulerOptions scheduling;
  if (options.n_running > 0) scheduling.n_running = options.n_running;
  if (options.n_waiting > 0) scheduling.n_waiting = options.n_waiting;
  auto loaded = OGAS_TRY(Engine::load(path, OGAS_TRY(engine_options(options)), progress));
  auto handle = std::make_unique<ogas_engine>();
  handle->loaded = std::make_shared<LoadedEngine>(std::move(loaded), scheduling);
  *engine = handle.release();
  return {};
}

}  // namespace
}  // namespace ogas::capi

using namespace ogas;

ogas_status ogas_engine_options_init(ogas_engine_options* options, size_t size) {
  return capi::guarded([&] { return capi::write_struct({}, options, size, "ogas_engine_options"); });
}

ogas_status ogas_engine_load(const char* path, const ogas_engine_options* options, ogas_progress_callback progress,
                             void* user, ogas_engine** engine) {
  return capi::guarded([&]() -> Result<> {
    return capi::load(path, options, [&](double share) { return !progress || progress(share, user) == 0; }, engine);
  });
}

void ogas_engine_free(ogas_engine* engine) { delete engine; }

uint32_t ogas_engine_n_ctx(const ogas_engine* engine) { return engine ? engine->loaded->engine->options().n_ctx : 0; }

uint32_t ogas_engine_n_vocab(const ogas_engine* engine) { return engine ? engine->loaded->engine->facts().n_vocab : 0; }
