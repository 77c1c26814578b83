#include "forecast/model_forecast.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <vector>

#include "arch/registry.h"
#include "base/quote.h"
#include "engine/model_kernels.h"
#include "kernels/dispatch.h"
#include "measure/machine.h"
#include "nn/moe.h"
#include "synth/random_blocks.h"

namespace ogas {
namespace {

// The format of most of the weights.
Format usual_format(const TensorFile& file) {
  std::map<Format, uint64_t> bytes;
  for (const auto& [name, tensor] : file.tensors())
    if (tensor.shape.n_dims > 1) bytes[tensor.format] += tensor.n_bytes();
  const auto max = std::ranges::max_element(bytes, {}, [](const auto& use) { return use.second; });
  return max != bytes.end() && has_random_blocks(max->first) ? max->first : Format::bf16;
}

void try_what_would_help(ModelForecast& plan, size_t n_moe) {
  const MemoryPlan& memory = plan.memory;
  if (!memory.leaves_experts_on_disk) return;
  const uint64_t larger = std::min(memory.all_expert_bytes, memory.expert_bytes + memory.available);
  plan.token_seconds_with["twice the memory"] =
      forecast(plan.facts, memory, larger, n_moe, plan.rates, Routing::skewed).token_seconds;
  Rates faster = plan.rates;
  faster.disk *= 2;
  plan.token_seconds_with["a disk twice as quick"] =
      forecast(plan.facts, memory, memory.expert_bytes, n_moe, faster, Routing::skewed).token_seconds;
}

// Bytes a second of the disk that the file lies on and, where experts are read from them, too, those of its mirrors;
// 0: unknown. Copies on one disk share its rate.
Result<double> measure_disks(const std::filesystem::path& file, const MemoryPlan& memory) {
  std::vector<std::filesystem::path> copies = {file};
  if (memory.leaves_experts_on_disk)
    for (const std::filesystem::path& folder : memory.options.mirrors) copies.push_back(folder / file.filename());
  std::set<dev_t> disks;
  double sum = 0;
  for (const std::filesystem::path& copy : copies) {
    struct stat status = {};
    if (::stat(copy.c_str(), &status) != 0)
      return fail(ErrorCode::not_found, "cannot open {}: {}", in_quotes(copy.string()), std::strerror(errno));
    if (!disks.insert(status.st_dev).second) continue;
    if (const auto rate = measure_disk(copy)) sum += *rate;
  }
  return sum;
}

}  // namespace

Result<ModelForecast> forecast_model(const TensorFile& file, const std::string& name, const EngineOptions& options,
                                     std::optional<uint64_t> disk, bool has_weights) {
  auto created = create_model(file, options.overrides());
  if (!created) return fail_within(created.error(), "{}", name);
  Model& model = **created;
  const CpuKernels kernels = kernels_for(model, *OGAS_TRY(choose_kernels()));
  ModelForecast plan{.facts = model.facts(), .memory = OGAS_TRY(plan_memory(model, kernels, options))};
  const MemoryPlan& memory = plan.memory;
  if (!has_weights && memory.leaves_experts_on_disk && !disk)
    return fail(ErrorCode::usage, "{} does not fit, and how quick its disk will be nobody knows; say it, as --disk 2G",
                std::filesystem::path(name).filename().string());
  plan.rates = measure_rates(kernels, memory.options.n_threads, usual_format(file));
  if (disk)
    plan.rates.disk = static_cast<double>(*disk);
  else if (has_weights)
    plan.rates.disk = OGAS_TRY(measure_disks(file.shards().front().path(), memory));
  const size_t n_moe = model.moes().size();
  plan.even = forecast(plan.facts, memory, memory.expert_bytes, n_moe, plan.rates, Routing::even);
  plan.skewed = forecast(plan.facts, memory, memory.expert_bytes, n_moe, plan.rates, Routing::skewed);
  try_what_would_help(plan, n_moe);
  return plan;
}

}  // namespace ogas
