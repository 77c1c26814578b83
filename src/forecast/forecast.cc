#include "forecast/forecast.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/memory.h"
#include "measure/machine.h"
#include "ops/cpu/local_exec.h"
#include "ops/linear.h"
#include "synth/random_blocks.h"

namespace ogas {
namespace {

constexpr uint32_t kPromptTokens = 512, kFew = 32;

// The share of memory bandwidth that decoding reaches (docs/PERFORMANCE.md: 82 to 93%).
constexpr double kOfMemory = 0.87;
// Attention, norms and everything else that a prompt takes in addition to products.
constexpr double kOfProducts = 0.8;
// The part of the shorter of reading and computing that does not overlap with the other.
constexpr double kNotOverlapped = 0.35;

double overlapped(double a, double b) { return std::max(a, b) + kNotOverlapped * std::min(a, b); }

}  // namespace

Rates measure_rates(const CpuKernels& kernels, unsigned n_threads, Format format) {
  constexpr size_t kIn = 2048, kOut = 2048;
  ThreadPool pool(n_threads);
  Rates rates{.memory = measure_read_bandwidth(pool)};
  std::vector<std::byte> bytes(kOut * facts_of(format).bytes_for(kIn));
  RandomBlocks(format, /*deviation=*/0.02F).fill(bytes, /*seed=*/1);
  Linear linear(format, bytes.data(), kOut, kIn);
  Scratch scratch(pool.size());
  LocalExec exec(pool, kernels, scratch);
  const auto seconds_of = [&](const auto& run) {
    double best = 1e9;
    for (int repeat = 0; repeat < 4; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      run();
      best = std::min(best, seconds_since(start));
    }
    return best;
  };
  PageBuffer panels(linear.panel_bytes(kernels) > 0 ? linear.panel_bytes(kernels) : bytes.size());
  const double packing = seconds_of([&] {
    const size_t n = linear.panel_bytes(kernels) > 0 ? linear.n_panels(kernels) : 16;
    pool.parallel_for(n, [&](size_t idx, unsigned) {
      if (linear.panel_bytes(kernels) > 0)
        linear.pack_panel(kernels, idx, panels.data());
      else
        std::memcpy(panels.data() + idx * bytes.size() / n, bytes.data() + idx * bytes.size() / n, bytes.size() / n);
    });
  });
  // Real weights are read from memory and written there, not from cache to cache as here.
  rates.packing = 1 / (packing / static_cast<double>(bytes.size()) + 2 / rates.memory);
  if (linear.panel_bytes(kernels) > 0) linear.use_panels(panels.data());
  const Activations x(kPromptTokens, kIn);
  const Matrix y(kPromptTokens, kOut);
  for (size_t row = 0; row < kPromptTokens; ++row) {
    float* const values = x.write(row, 1).row(row);
    for (size_t i = 0; i < kIn; ++i) values[i] = static_cast<float>((row * 7 + i * 13) % 17) - 8;
    x.quantize_row(kernels, row, RowKind::prefill);
  }
  const auto rate_of = [&](size_t n) {
    return static_cast<double>(n * kIn * kOut) / seconds_of([&] { exec.device.multiply(x, n, {{linear, y}}); });
  };
  rates.products = rate_of(kPromptTokens);
  rates.few_products = rate_of(kFew);
  return rates;
}

double skewed_hits(double share, uint32_t n_expert) {
  double max = 0, all = 0;
  for (uint32_t rank = 1; rank <= n_expert; ++rank) {
    all += 1.0 / rank;
    if (rank <= share * n_expert) max += 1.0 / rank;
  }
  return all > 0 ? max / all : 1;
}

Forecast forecast(const ModelFacts& facts, const MemoryPlan& plan, uint64_t expert_bytes, size_t n_moe,
                  const Rates& rates, Routing routing) {
  Forecast result;
  const double in_memory = facts.pass_bytes(1) / rates.memory / kOfMemory;
  const double share_taken = facts.n_expert > 0 ? static_cast<double>(facts.n_expert_used) / facts.n_expert : 0;
  const double of_experts = static_cast<double>(total_of(facts.work.expert_weights)) * share_taken * kPromptTokens;
  const double products =
      ((facts.pass_products(kPromptTokens, 1) - of_experts) / rates.products + of_experts / rates.few_products) /
      kOfProducts;
  if (rates.disk > 0)
    result.load_seconds =
        static_cast<double>(plan.leaves_experts_on_disk ? plan.weight_bytes : facts.weight_bytes) / rates.disk;
  if (!plan.leaves_experts_on_disk) {
    result.token_seconds = in_memory;
    result.prompt_seconds = std::max(products, facts.pass_bytes(kPromptTokens) / rates.memory / kOfMemory);
    return result;
  }
  const double share = std::min(1.0, static_cast<double>(expert_bytes) / static_cast<double>(plan.all_expert_bytes));
  const double one = static_cast<double>(facts.work.expert_bytes) / static_cast<double>(n_moe * facts.n_expert);
  result.hits = routing == Routing::even ? share : skewed_hits(share, facts.n_expert);
  result.bytes_a_token = static_cast<double>(n_moe * facts.n_expert_used) * (1 - result.hits) * one;
  const auto read = [&](double bytes) { return rates.disk > 0 ? bytes / rates.disk : 0; };
  result.token_seconds = overlapped(read(result.bytes_a_token), in_memory + result.bytes_a_token / rates.packing);
  // Every batch of a prompt uses nearly all experts.
  const double n_batches = std::ceil(static_cast<double>(kPromptTokens) / plan.options.n_batch);
  const double taken = 1 - std::pow(1 - share_taken, std::min(kPromptTokens, plan.options.n_batch));
  const double bytes = taken * static_cast<double>(facts.work.expert_bytes) * (1 + (n_batches - 1) * (1 - share));
  result.prompt_seconds = overlapped(read(bytes), products + bytes / rates.packing);
  return result;
}

}  // namespace ogas
