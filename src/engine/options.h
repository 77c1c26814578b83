// How a model is loaded and how requests share it. Values only: this file includes nothing else of engine/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arch/model_overrides.h"
#include "nn/expert_prefetch.h"
#include "quant/format.h"

namespace ogas {

// Each is a row of engine_settings(), too (engine_settings.h).
struct EngineOptions {
  uint32_t n_ctx = 0;      // positions a session can hold; 0: the model's own limit, or less where memory is short
  uint32_t n_batch = 0;    // prompt tokens computed together; 0: chosen by the size of the model
  unsigned n_threads = 0;  // 0: one for each core this process may use
  std::string chat_template = {};      // Jinja source instead of the model's own; empty: its own
  bool needs_text = false;             // a model whose tokenizer cannot be used is refused, before its weights are read
  Format kv_cache_type = Format::f16;  // one of kKvFormats
  // Bytes for the KV cache of all sessions; 0: half of the memory that the weights leave free, or what n_ctx positions
  // take if that is more.
  uint64_t kv_budget = 0;
  // Bytes of memory for everything; 0: what is free. Where not all weights fit, experts are read from disk as tokens
  // need them (nn/expert_store.h), with the same results.
  uint64_t ram = 0;
  // Read experts from disk in any case, with this many bytes of memory for them, or the minimum that works.
  std::optional<uint64_t> expert_cache = {};
  ExpertPrefetch expert_prefetch = ExpertPrefetch::automatic;  // of those read from disk
  // As in ModelOverrides (arch/model_overrides.h).
  uint32_t n_expert_used = 0;
  float min_expert_weight = 0;
  ModelOverrides overrides() const { return {n_expert_used, min_expert_weight}; }
  bool takes_fewer_experts() const { return overrides().takes_fewer_experts(); }
  std::vector<std::filesystem::path> mirrors = {};  // folders with copies of the files, on other disks
  // Where counts of used experts are kept, so that later starts begin with those in memory; empty: nowhere.
  std::filesystem::path experts_folder = {};
  // Where the KV cache of prompts is kept for later starts, and how many bytes it may take there for all models; empty
  // or 0: nowhere. In memory it is kept as long as the budget has space, except for models with recurrent layers.
  std::filesystem::path prefix_folder = {};
  uint64_t prefix_cache = 0;
};

// Called with the share done (0 to 1) while a model loads, on the thread that loads it: before each file is opened,
// while the tokenizer is made, and every few megabytes of weights. False stops it, and it is not called again.
using LoadProgress = std::function<bool(double)>;

// Called once while a model loads, before its weights are read: what it is, and how it will use memory.
struct MemoryPlan;
struct ModelFacts;
using PlanReady = std::function<void(const ModelFacts&, const MemoryPlan&)>;

struct SchedulerOptions {
  uint32_t n_batch = 0;      // prompt tokens of a step, in addition to decoding requests; 0: the engine's
  uint32_t n_running = 32;   // requests that are computed together at most
  uint32_t n_waiting = 256;  // requests that wait at most; more are refused
  // By which factor prompts may lengthen the inter-token latency of decoding requests, on average, as measured while
  // running. Chunks of prompts are cut to that; where they would become too small to be worth it, there are steps
  // without any. 0: whole batches, however long.
  double max_delay = 2;
};

}  // namespace ogas
