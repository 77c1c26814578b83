#include "engine/memory_plan.h"

#include <algorithm>

#include "arch/model.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/topology.h"
#include "engine/model_kernels.h"
#include "kernels/cpu_kernels.h"
#include "nn/expert_store.h"
#include "nn/moe.h"
#include "nn/packed_weights.h"

namespace ogas {
namespace {

constexpr uint32_t kMinContext = 512;

// What a batch takes in a context of n_ctx positions; the options have a number of threads.
uint64_t batch_bytes(const Model& model, const CpuKernels& kernels, const EngineOptions& options, uint64_t n_ctx) {
  const ModelFacts& facts = model.facts();
  const ScratchBytes scratch = model.scratch_bytes({.kernels = kernels,
                                                    .n_threads = options.n_threads,
                                                    .kv_format = options.kv_cache_type,
                                                    .n_ctx = n_ctx,
                                                    .n_batch = options.n_batch});
  const uint64_t n_logits = facts.n_mtp > 0 ? 2 : 1;  // rows: the model's, and those of its MTP head
  return facts.token_bytes * options.n_batch + n_logits * facts.n_vocab * sizeof(float) +
         scratch.total(options.n_threads);
}

// The part of this that each page of positions takes.
uint64_t batch_bytes_of_page(const Model& model, const CpuKernels& kernels, const EngineOptions& options) {
  const uint64_t n_ctx = std::max(model.facts().n_ctx_train, 2 * kMinContext);
  const auto bytes = [&](uint64_t n) { return batch_bytes(model, kernels, options, n); };
  return (bytes(n_ctx) - bytes(kMinContext)) / (n_ctx - kMinContext) * KvLayout::kPagePositions;
}

// What the model, a full context and a batch take, in bytes.
uint64_t bytes_needed(const Model& model, const ModelFacts& facts, const CpuKernels& kernels,
                      const EngineOptions& options) {
  return facts.weight_bytes + kv_layout(facts, options).sequence_bytes(options.n_ctx, options.n_batch) +
         batch_bytes(model, kernels, options, options.n_ctx);
}

// Tokens computed together: more are somewhat faster, since weights are read and unpacked and threads meet less often;
// from 512 on nothing is gained. They may take a twentieth of what the weights take beyond those of a small model, so
// that small models stay small. With matrix instructions, which decode weights for a batch, all have long batches: that
// is more than twice as fast, and servers that have such processors can spare some megabytes.
uint32_t batch_for(const ModelFacts& facts, const CpuKernels& kernels) {
  constexpr uint64_t kSmall = uint64_t{128} << 20, kMax = 512;
  const uint64_t max_bytes = (std::max(facts.weight_bytes, kSmall) - kSmall) / 20;
  const uint64_t min = kernels.tiles_are_quicker ? kMax : min_batch(kernels);
  return static_cast<uint32_t>(std::clamp<uint64_t>(max_bytes / std::max<uint64_t>(facts.token_bytes, 1), min, kMax));
}

// Bytes that the process may still take.
uint64_t free_memory(const EngineOptions& options) {
  const uint64_t available = available_memory(), taken = current_memory();
  if (options.ram == 0) return available;
  return std::min(available, options.ram > taken ? options.ram - taken : 0);
}

// Fills in what was left open, and refuses what cannot work before anything is loaded. The KV cache gets a part of what
// the weights leave, 1 / kv_share at most, where no budget is given; all of that part if takes_share.
Result<EngineOptions> resolve(EngineOptions options, const Model& model, const ModelFacts& facts,
                              const CpuKernels& kernels, uint64_t available, uint64_t kv_share, bool takes_share) {
  if (options.n_batch > 65536)
    return fail(ErrorCode::usage, "batch is {}; it must lie between 1 and 65536", options.n_batch);
  if (options.n_batch == 0) options.n_batch = batch_for(facts, kernels);
  if (options.n_threads > 1024)
    return fail(ErrorCode::usage, "threads is {}; at most 1024 make sense", options.n_threads);
  KvLayout kv = facts.kv;
  OGAS_TRY(kv.set_format(options.kv_cache_type));
  if (options.n_threads == 0) options.n_threads = usable_cores();

  const bool chosen_by_us = options.n_ctx == 0;
  const uint64_t fixed = facts.weight_bytes + kv.sequence_bytes(0, 0);
  const uint64_t share = available > fixed ? (available - fixed) / kv_share : 0;
  if (chosen_by_us) {
    // The model's own limit, or what the budget holds.
    const uint64_t bytes = options.kv_budget > 0 ? options.kv_budget : share;
    const uint64_t bytes_a_page = options.kv_budget > 0 ? 0 : batch_bytes_of_page(model, kernels, options);
    const uint64_t max = uint64_t{facts.n_ctx_train} + KvLayout::kPagePositions;
    const uint64_t fitting = kv.positions_within(bytes, options.n_batch, bytes_a_page, max);
    options.n_ctx =
        static_cast<uint32_t>(std::min<uint64_t>(facts.n_ctx_train, std::max<uint64_t>(kMinContext, fitting)));
  }
  const uint64_t context_bytes = kv.bytes_of_pages(options.n_ctx, options.n_batch);
  if (options.kv_budget == 0)
    options.kv_budget = std::max(takes_share ? share : 0, context_bytes);
  else if (options.kv_budget < context_bytes)
    return fail(ErrorCode::usage, "a context of {} positions takes {}; the budget for keys and values is {}",
                options.n_ctx, format_bytes(context_bytes), format_bytes(options.kv_budget));
  const uint64_t needed = bytes_needed(model, facts, kernels, options);
  if (needed <= available) return options;
  return fail(ErrorCode::out_of_memory,
              "the model needs {} ({} of weights, {} for {} positions of context); {} {} free", format_bytes(needed),
              format_bytes(facts.weight_bytes), format_bytes(kv.sequence_bytes(options.n_ctx, options.n_batch)),
              options.n_ctx, format_bytes(available),
              chosen_by_us || facts.weight_bytes > available ? "is" : "(try a smaller context) is");
}

void fill_in(MemoryPlan& plan, const Model& model, const CpuKernels& kernels) {
  const ModelFacts& facts = model.facts();
  plan.has_panels =
      std::ranges::any_of(model.linears(), [&](const Linear* linear) { return linear->panel_bytes(kernels) > 0; });
  plan.context_bytes = plan.leaves_experts_on_disk
                           ? plan.options.kv_budget
                           : kv_layout(facts, plan.options).sequence_bytes(plan.options.n_ctx, plan.options.n_batch);
  plan.batch_bytes = batch_bytes(model, kernels, plan.options, plan.options.n_ctx);
}

Result<MemoryPlan> plan_all_in_memory(const Model& model, const CpuKernels& kernels, const EngineOptions& options) {
  MemoryPlan plan{.available = free_memory(options)};
  const PackedWeights packed(kernels, model.linears());
  ModelFacts facts = model.facts();
  facts.weight_bytes += packed.n_bytes() - packed.n_stored_bytes();
  plan.options =
      OGAS_TRY(resolve(options, model, facts, kernels, plan.available, /*kv_share=*/2, /*takes_share=*/true));
  plan.weight_bytes = facts.weight_bytes;
  fill_in(plan, model, kernels);
  return plan;
}

// Experts get what everything else leaves.
Result<MemoryPlan> plan_experts_on_disk(const Model& model, const CpuKernels& kernels, const EngineOptions& options) {
  constexpr uint64_t kOther = uint64_t{48} << 20;  // heap, stacks, what the system keeps for us
  MemoryPlan plan{.leaves_experts_on_disk = true, .available = free_memory(options), .other_bytes = kOther};
  plan.weight_bytes = PackedWeights(kernels, linears_without_experts(model), PackedWeights::Others::copied).n_bytes();
  const ExpertStore::Bytes bytes = ExpertStore::bytes_for(model.moes(), kernels);
  ModelFacts facts = model.facts();
  facts.weight_bytes = plan.weight_bytes + kOther + bytes.min;
  // A batch reads each expert once, so that long batches pay.
  EngineOptions wanted = options;
  if (wanted.n_batch == 0 && plan.available > facts.weight_bytes)
    wanted.n_batch = static_cast<uint32_t>(
        std::clamp<uint64_t>((plan.available - facts.weight_bytes) / 3 / facts.token_bytes, min_batch(kernels), 512));
  plan.options = OGAS_TRY(
      resolve(wanted, model, facts, kernels, plan.available, /*kv_share=*/8, /*takes_share=*/options.n_ctx == 0));
  fill_in(plan, model, kernels);
  const uint64_t taken = plan.weight_bytes + plan.context_bytes + plan.batch_bytes + plan.other_bytes;
  const uint64_t left = plan.available > taken ? plan.available - taken : 0;
  plan.expert_bytes = std::clamp(options.expert_cache.value_or(left), bytes.min, bytes.all);
  plan.all_expert_bytes = bytes.all;
  return plan;
}

}  // namespace

std::vector<Linear*> linears_without_experts(const Model& model) {
  std::vector<Linear*> others;
  for (Linear* linear : model.linears())
    if (std::ranges::none_of(model.moes(), [&](const Moe* moe) { return moe->has(*linear); })) others.push_back(linear);
  return others;
}

KvLayout kv_layout(const ModelFacts& facts, const EngineOptions& options) {
  KvLayout layout = facts.kv;
  const auto set = layout.set_format(options.kv_cache_type);
  OGAS_CHECK(set, "{}", set.error().message);
  return layout;
}

Result<MemoryPlan> plan_memory(const Model& model, const CpuKernels& kernels, const EngineOptions& options) {
  const bool may_leave_experts = !model.moes().empty();
  if (!options.expert_cache || !may_leave_experts) {
    auto plan = plan_all_in_memory(model, kernels, options);
    if (plan || !may_leave_experts || plan.error().code != ErrorCode::out_of_memory) return plan;
  }
  return plan_experts_on_disk(model, kernels, options);
}

}  // namespace ogas
