#include "engine/engine_core.h"

#include <algorithm>
#include <utility>

#include "engine/memory_plan.h"
#include "engine/model_identity.h"
#include "engine/model_loader.h"

namespace ogas {
namespace {

// Whether prompts and generated tokens are computed in the same way.
bool reuses_generated(const LoadedModel& model) {
  const CpuKernels& kernels = model.kernels;
  return !model.facts().prompts_differ && (kernels.tile_rows == 0 || !model.has_panels) &&
         kernels.attend_tile_rows == 0;
}

}  // namespace

EngineCore::EngineCore(std::unique_ptr<LoadedModel> loaded)
    : loaded_(std::move(loaded)),
      model(*loaded_),
      kv(kv_layout(model.facts(), model.options), model.options.kv_budget, reuses_generated(model)),
      runner(model) {}

Result<std::unique_ptr<EngineCore>> EngineCore::load(const std::filesystem::path& path, const EngineOptions& options,
                                                     const LoadProgress& progress, const PlanReady& planned) {
  auto model = OGAS_TRY(load_model(path, options, progress, planned));
  std::unique_ptr<EngineCore> core(new EngineCore(std::move(model)));
  OGAS_TRY(core->enable_prefix_cache());
  return core;
}

Result<> EngineCore::enable_prefix_cache() {
  const KvLayout& layout = kv.layout();
  const EngineOptions& o = options();
  PrefixKey key;  // in memory there is this model alone
  std::unique_ptr<PrefixStore> store;
  if (!o.prefix_folder.empty() && o.prefix_cache > 0) {
    key = PrefixKey::of_model(OGAS_TRY(identity_of_pages(
        model.file,
        {.kernels = model.kernels, .layout = layout, .has_panels = model.has_panels, .overrides = o.overrides()})));
    store = std::make_unique<PrefixStore>(o.prefix_folder, o.prefix_cache, key);
  }
  // A token's attention over a page, as a share of its products with the weights.
  const double growth = 2.0 * facts().n_layer * facts().n_embd * KvLayout::kPagePositions /
                        std::max<double>(1, static_cast<double>(facts().n_params_active));
  kv.enable_prefix_cache(key, growth, std::move(store));
  return {};
}

}  // namespace ogas
