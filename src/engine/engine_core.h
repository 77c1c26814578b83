// What an Engine is made of, and what computes answers, scores and embeddings works with: the model, the pages of all
// sessions, the passes.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <stop_token>

#include "base/result.h"
#include "engine/kv_manager.h"
#include "engine/loaded_model.h"
#include "engine/model_runner.h"
#include "engine/options.h"

namespace ogas {

class EngineCore {
 public:
  // Errors: as Engine::load.
  static Result<std::unique_ptr<EngineCore>> load(const std::filesystem::path& path, const EngineOptions& options,
                                                  const LoadProgress& progress, const PlanReady& planned);

  const ModelFacts& facts() const { return model.facts(); }
  const EngineOptions& options() const { return model.options; }

  // Ends what runs, as soon as it looks; from any thread. What begins later is not affected.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  void begin() { cancelled_.store(false, std::memory_order_relaxed); }
  bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  // Whether to end what begins with this: by cancel() from here on, or by `stop`, which must outlive it.
  auto begin_cancellable(const std::stop_token& stop) {
    begin();
    return [this, &stop] { return is_cancelled() || stop.stop_requested(); };
  }

 private:
  explicit EngineCore(std::unique_ptr<LoadedModel> loaded);
  // Errors: io.
  Result<> enable_prefix_cache();

  const std::unique_ptr<LoadedModel> loaded_;

 public:
  LoadedModel& model;
  KvManager kv;
  ModelRunner runner;

 private:
  std::atomic<bool> cancelled_ = false;
};

}  // namespace ogas
