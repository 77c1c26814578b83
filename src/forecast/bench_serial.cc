#include "forecast/bench_serial.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/check.h"
#include "engine/engine.h"
#include "kernels/dispatch.h"

namespace ogas {
namespace {

constexpr uint32_t kPrompt = 512;

struct Slice {
  std::vector<Linear> parts;
  double n_weights = 0, n_all = 0;
};

// About n_wanted weights: of each matrix the first rows, in proportion to its size. Of many small matrices only some.
Slice cut_slice(std::span<const Linear* const> linears, double n_wanted) {
  Slice slice;
  const auto weights_of = [](const Linear& linear) {
    return static_cast<double>(linear.n_out()) * static_cast<double>(linear.n_in());
  };
  for (const Linear* linear : linears) slice.n_all += weights_of(*linear);
  const double share = std::min(1.0, n_wanted / slice.n_all);
  double due = 0;  // rows
  for (const Linear* linear : linears) {
    due += share * static_cast<double>(linear->n_out());
    const size_t n_rows = std::min(static_cast<size_t>(due), linear->n_out());
    if (n_rows == 0) continue;
    due -= static_cast<double>(n_rows);
    slice.parts.push_back(linear->rows(0, n_rows));
    slice.n_weights += weights_of(slice.parts.back());
  }
  return slice;
}

// Seconds to multiply the slice with n_tokens tokens on this thread: the median of at least three runs that take at
// least half a second together.
double seconds_of(const Slice& slice, const CpuKernels& kernels, size_t n_tokens) {
  std::map<size_t, Activations> inputs;  // by their width
  std::vector<Matrix> outputs;
  for (const Linear& part : slice.parts) {
    outputs.emplace_back(n_tokens, part.n_out());
    const auto [input, is_new] = inputs.try_emplace(part.n_in(), n_tokens, part.n_in());
    if (!is_new) continue;
    const Activations& x = input->second;
    std::fill_n(x.write(0, n_tokens).data(), n_tokens * part.n_in(), 0.5F);
    for (size_t t = 0; t < n_tokens; ++t) x.quantize_row(kernels, t, RowKind::prefill);
  }
  std::vector<double> seconds;
  const auto begin = std::chrono::steady_clock::now();
  while (seconds.size() < 3 || seconds_since(begin) < 0.5) {
    const auto start = std::chrono::steady_clock::now();
    for (size_t idx = 0; idx < slice.parts.size(); ++idx) {
      const Linear& part = slice.parts[idx];
      MatmulCall{part, inputs.at(part.n_in()), 0, n_tokens, 0, part.n_out()}.run(kernels, outputs[idx]);
    }
    seconds.push_back(seconds_since(start));
  }
  return median_of(std::move(seconds)).value;
}

}  // namespace

SerialSpeed measure_serial(const Engine& engine) {
  const CpuKernels& kernels = *available_kernels().back();
  OGAS_CHECK(!kernels.quantizes_activations, "{} is not the reference", kernels.name);
  // A GFLOP or so of prefill at a time, of which plain code does one or two a second.
  constexpr double kWeights = 1.0e6;
  const Slice slice = cut_slice(engine.linears_of_token(), kWeights);
  SerialSpeed speed;
  speed.decode_ops = 2 * slice.n_weights / seconds_of(slice, kernels, 1);
  speed.prefill_ops = 2 * slice.n_weights * kPrompt / seconds_of(slice, kernels, kPrompt);
  const ModelFacts& facts = engine.facts();
  speed.prefill_rate = kPrompt * speed.prefill_ops / work_of_pass(facts, kPrompt, 1).kernels();
  speed.decode_rate = speed.decode_ops / work_of_token(facts, facts.kv, 0).kernels();
  speed.slice = fmt::format("rows of {} matrices, {:.2f}% of the weights that a token is multiplied with",
                            slice.parts.size(), 100 * slice.n_weights / slice.n_all);
  return speed;
}

}  // namespace ogas
