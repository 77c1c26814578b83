#include "engine/engine_settings.h"

#include <algorithm>
#include <iterator>

namespace ogas {
namespace {

using Values = EngineOptions;

constexpr EngineSetting kEngineSettings[] = {
    {.name = "n_ctx",
     .member = &Values::n_ctx,
     .help = "Size of the context in tokens",
     .flags = "-c,--ctx,--ctx-size",
     .type = "N",
     .usual = "the model's, or what memory allows"},
    {.name = "n_threads",
     .member = &Values::n_threads,
     .help = "Threads",
     .flags = "-t,--threads",
     .type = "N",
     .usual = "one for each core this process may use",
     .range = {1, 1024}},
    {.name = "n_batch",
     .member = &Values::n_batch,
     .help = "Maximum number of prompt tokens in a batch",
     .flags = "-b,--batch,--batch-size",
     .type = "N",
     .usual = "by the size of the model",
     .range = {1, 65536}},
    {.name = "kv_cache_type",
     .member = &Values::kv_cache_type,
     .help = "Format of the KV cache; q8_0: half the memory of f16, q4_0: a quarter",
     .flags = "--kv-cache-type",
     .aliases = "--kv-type",
     .type = "f16|bf16|f32|q8_0|q4_0",
     .c_alias = "kv_type"},
    {.name = "ram",
     .member = &Values::ram,
     .help = "Limit on memory; experts that do not fit stay on disk",
     .flags = "--ram",
     .type = "SIZE",
     .usual = "free memory"},
    {.name = "expert_cache",
     .member = &Values::expert_cache,
     .help = "Keep experts on disk, with a cache of this size in memory",
     .flags = "--expert-cache",
     .type = "SIZE",
     .usual = "only if needed"},
    {.name = "n_expert_used",
     .member = &Values::n_expert_used,
     .help = "Use N experts for each token, fewer than the model does: faster, with other answers",
     .flags = "--n-expert-used",
     .aliases = "--experts",
     .type = "N",
     .range = {1, 1024},
     .c_alias = "n_experts"},
    {.name = "min_expert_weight",
     .member = &Values::min_expert_weight,
     .help = "Skip experts whose routing weight is below P, except the best one",
     .flags = "--min-expert-weight",
     .aliases = "--min-weight",
     .type = "P",
     .c_alias = "min_weight"},
    {.name = "mirrors",
     .member = &Values::mirrors,
     .help = "Folder with a copy of the model on another disk, to read experts from both",
     .flags = "--mirror",
     .type = "FOLDER"},
    {.name = "expert_prefetch",
     .member = &Values::expert_prefetch,
     .help = "Prefetch experts predicted for the next layer; auto: if mostly predicted right",
     .flags = "--expert-prefetch",
     .aliases = "--look-ahead",
     .type = "auto|on|off"},
    {.name = "kv_budget",
     .member = &Values::kv_budget,
     .help = "Memory for the KV cache, such as 4G",
     .flags = "--kv-budget",
     .type = "SIZE",
     .usual = "half of what is free"},
    {.name = "prefix_cache",
     .member = &Values::prefix_cache,
     .help = "Disk space for the KV cache of prompts, kept over restarts; 0: none",
     .flags = "--prefix-cache",
     .type = "SIZE",
     .usual = "4G",
     .c_alias = "prefix_budget"},
    {.name = "prefix_folder", .member = &Values::prefix_folder, .help = "Folder of the KV cache of prompts"},
    {.name = "experts_folder", .member = &Values::experts_folder, .help = "Folder of the counts of used experts"},
    {.name = "chat_template", .member = &Values::chat_template, .help = "Jinja source instead of the model's own"},
};

constexpr SchedulerSetting kSchedulerSettings[] = {
    {.name = "n_running",
     .member = &SchedulerOptions::n_running,
     .help = "Maximum number of requests in a batch",
     .flags = "--parallel",
     .type = "N",
     .range = {1, 4096}},
    {.name = "n_waiting",
     .member = &SchedulerOptions::n_waiting,
     .help = "Maximum number of waiting requests; more are refused",
     .flags = "--queue",
     .type = "N",
     .range = {0, std::numeric_limits<uint32_t>::max()}},
};

}  // namespace

std::span<const EngineSetting> engine_settings() { return kEngineSettings; }

const EngineSetting* find_engine_setting(std::string_view name) {
  const auto* found = std::ranges::find(kEngineSettings, name, &EngineSetting::name);
  return found == std::end(kEngineSettings) ? nullptr : found;
}

std::span<const SchedulerSetting> scheduler_settings() { return kSchedulerSettings; }

}  // namespace ogas
