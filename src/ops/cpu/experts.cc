// Routing, gathering rows for experts, and summing their results.
#include "ops/experts.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "ops/cpu/cpu_device.h"

namespace ogas {

void CpuDevice::route(const RoutingRules& routing, const Matrix& logits, size_t n_rows, std::span<Routed> routed) {
  const RouterRules& rules = routing.rules;
  OGAS_CHECK(logits.n_cols() >= rules.n_expert && routed.size() == n_rows * rules.n_used,
             "{} logits for {} experts, {} slots", logits.n_cols(), rules.n_expert, routed.size());
  pool_.parallel_for(n_rows, [&](size_t t, unsigned thread_idx) {
    if (!routing.logits_bias.empty()) kernels_.add(logits.row(t), routing.logits_bias.data(), rules.n_expert);
    ogas::route(rules, {logits.row(t), rules.n_expert}, routing.choice_bias, scratch_.of_thread(thread_idx),
                routed.subspan(t * rules.n_used, rules.n_used));
  });
}

size_t CpuDevice::group_step() const { return std::max<size_t>(kernels_.tile_rows, 1); }

void CpuDevice::gather(const Activations& x, size_t n_rows, const GatheredRows& gathered) {
  OGAS_CHECK(gathered.row_of.size() == n_rows * gathered.n_used, "{} slots of {} rows", gathered.row_of.size(), n_rows);
  const auto reads_values = [&](const Linear& linear) { return linear.reads_values(kernels_); };
  const bool wants_values =
      std::ranges::any_of(gathered.gate, reads_values) || std::ranges::any_of(gathered.up, reads_values);
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) {
    for (const size_t row : gathered.row_of.subspan(t * gathered.n_used, gathered.n_used))
      if (row != kNoExpertRow) gathered.out.share_row(kernels_, x, t, row, wants_values);
  });
}

void CpuDevice::sum_experts(const Matrix& results, std::span<const Routed> routed, std::span<const size_t> row_of,
                            size_t n_rows, const Matrix& y) {
  const size_t n = y.n_cols(), n_used = n_rows == 0 ? 0 : routed.size() / n_rows;
  OGAS_CHECK(results.n_cols() == n && routed.size() == n_rows * n_used && row_of.size() == routed.size(),
             "{} slots of {} rows, {} rows of results", routed.size(), n_rows, row_of.size());
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) {
    float* const sum = y.row(t);
    std::fill_n(sum, n, 0.0F);
    for (size_t slot = t * n_used; slot < (t + 1) * n_used; ++slot) {
      if (row_of[slot] == kNoExpertRow) continue;
      const float* result = results.row(row_of[slot]);
      for (size_t i = 0; i < n; ++i) sum[i] += routed[slot].weight * result[i];
    }
  });
}

void CpuDevice::add_shared(const Matrix& y, const Matrix& shared, const Linear& gate, const Activations& x,
                           size_t n_rows) {
  OGAS_CHECK(shared.n_cols() == y.n_cols() && gate.n_out() <= 1, "{} columns of {}, {} gates", shared.n_cols(),
             y.n_cols(), gate.n_out());
  pool_.parallel_for(n_rows, [&](size_t t, unsigned) {
    float share = 1;
    if (gate.n_out() > 0) {
      MatmulCall{gate, x, t, 1, 0, 1}.run_in_f32(kernels_, &share, 1);
      share = 1 / (1 + std::exp(-share));
    }
    const float* result = shared.row(t);
    for (size_t i = 0; i < y.n_cols(); ++i) y.row(t)[i] += share * result[i];
  });
}

void CpuDevice::change_norm(const Activations& x, std::span<const float> from, std::span<const float> to,
                            const Activations& y) {
  const size_t n = x.n_cols();
  OGAS_CHECK(y.n_cols() == n && from.size() == to.size() && (from.empty() || from.size() == n),
             "{} columns to {}, norms of {} and {}", n, y.n_cols(), from.size(), to.size());
  float* const values = y.write(0, 1).row(0);
  std::copy_n(x.row(0), n, values);
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i] != 0) values[i] *= to[i] / from[i];
}

}  // namespace ogas
