// Engines: loading, facts, freeing.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include "base/check.h"
#include "capi/boundary.h"
#include "capi/engine.h"
#include "capi/handles.h"
#include "engine/engine_settings.h"

namespace ogas::capi {
namespace {

#define OGAS_FIELD(name) \
  EngineField { #name, &ogas_engine_options::name }
constexpr EngineField kEngineFields[] = {
    OGAS_FIELD(n_ctx),           OGAS_FIELD(n_batch),        OGAS_FIELD(n_threads),
    OGAS_FIELD(kv_budget),       OGAS_FIELD(kv_cache_type),  OGAS_FIELD(chat_template),
    OGAS_FIELD(prefix_folder),   OGAS_FIELD(prefix_cache),   OGAS_FIELD(ram),
    OGAS_FIELD(expert_cache),    OGAS_FIELD(n_expert_used),  OGAS_FIELD(min_expert_weight),
    OGAS_FIELD(expert_prefetch), OGAS_FIELD(experts_folder), OGAS_FIELD(n_running),
    OGAS_FIELD(n_waiting),
};
#undef OGAS_FIELD

// A value of C's as the row's: NULL and 0 leave the default. Errors: usage.
template <class Options, class Member>
Result<> take(const SettingOf<Options>& setting, Options& options, Member member, auto value) {
  if (!value) return {};
  using Value = decltype(value);
  using Ours = std::remove_cvref_t<decltype(options.*member)>;
  if constexpr (std::is_same_v<Value, const char*>)
    return setting.set(options, value);
  else if constexpr (std::is_same_v<Ours, Value> || std::is_same_v<Ours, std::optional<Value>>)
    options.*member = value;
  return {};
}

template <class Options>
Result<> take_all(std::span<const SettingOf<Options>> settings, const ogas_engine_options& given, Options& options) {
  for (const SettingOf<Options>& setting : settings) {
    if (setting.is_list()) continue;
    const auto* field = std::ranges::find(kEngineFields, setting.name, &EngineField::name);
    OGAS_CHECK(field != std::end(kEngineFields), "ogas_engine_options lacks {}", setting.name);
    OGAS_TRY(std::visit([&](auto member, auto where) { return take(setting, options, member, given.*where); },
                        setting.member, field->field));
    OGAS_TRY(setting.check(options));
  }
  return {};
}

}  // namespace

std::span<const EngineField> engine_fields() { return kEngineFields; }

Result<EngineOptions> make_engine_options(const ogas_engine_options& given) {
  EngineOptions options;
  OGAS_TRY(take_all(engine_settings(), given, options));
  for (const std::string& folder : OGAS_TRY(read_strings(given.mirrors, given.n_mirrors, "mirrors")))
    options.mirrors.emplace_back(folder);
  return options;
}

Result<SchedulerOptions> make_scheduler_options(const ogas_engine_options& given) {
  SchedulerOptions options;
  OGAS_TRY(take_all(scheduler_settings(), given, options));
  return options;
}

namespace {

Result<> load(const char* path, const ogas_engine_options* given, const LoadProgress& progress, ogas_engine** engine) {
  OGAS_TRY(need(path, "path"));
  OGAS_TRY(need(engine, "engine"));
  const auto options = OGAS_TRY(read_struct(given, {}, "ogas_engine_options"));
  const SchedulerOptions scheduling = OGAS_TRY(make_scheduler_options(options));
  auto loaded = OGAS_TRY(Engine::load(path, OGAS_TRY(make_engine_options(options)), progress));
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
