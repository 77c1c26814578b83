#include "expert_cache_simulator.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "nn/expert_cache.h"

namespace ogas {
namespace {

class Counter {
 public:
  Counter(const LayerTrace& trace, CacheStart start) {
    if (start == CacheStart::filled) begin_ = trace.size() / 4;
    if (start == CacheStart::learned) begin_ = trace.size() / 2;
  }
  void add(size_t t, bool is_hit) {
    if (t < begin_) return;
    ++hits_.n;
    hits_.n_hits += is_hit;
  }
  const CacheHits& hits() const { return hits_; }

 private:
  size_t begin_ = 0;
  CacheHits hits_;
};

// Keeps the experts with the largest values. A use sets the value to that of its token; experts in use are never
// evicted.
CacheHits hits_by(const LayerTrace& trace, uint32_t n_expert, uint32_t n_slots, CacheStart start, bool may_pass,
                  const auto& value_of_use) {
  constexpr double kOut = -std::numeric_limits<double>::infinity();
  std::vector<double> value(n_expert, kOut);
  std::vector<bool> is_in(n_expert), is_used(n_expert);
  uint32_t n_in = 0;
  Counter counter(trace, start);
  for (size_t t = 0; t < trace.size(); ++t) {
    for (const uint32_t expert : trace[t]) {
      counter.add(t, is_in[expert]);
      is_used[expert] = true;
      value[expert] = value_of_use(t, expert);
    }
    for (const uint32_t expert : trace[t]) {
      if (is_in[expert]) continue;
      if (n_in == n_slots) {
        uint32_t worst = n_expert;
        for (uint32_t other = 0; other < n_expert; ++other)
          if (is_in[other] && !is_used[other] && (worst == n_expert || value[other] < value[worst])) worst = other;
        if (worst == n_expert || (may_pass && value[worst] >= value[expert])) continue;
        is_in[worst] = false;
        --n_in;
      }
      is_in[expert] = true;
      ++n_in;
    }
    for (const uint32_t expert : trace[t]) is_used[expert] = false;
  }
  return counter.hits();
}

// Uses of the n experts that are used most, in these tokens of one layer.
double uses_of_top(std::span<const RoutedToken> tokens, uint32_t n_expert, uint32_t n) {
  std::vector<double> uses(n_expert);
  for (const RoutedToken& token : tokens)
    for (const uint32_t expert : token) ++uses[expert];
  std::ranges::sort(uses, std::ranges::greater{});
  return std::accumulate(uses.begin(), uses.begin() + n, 0.0);
}

}  // namespace

CacheHits& CacheHits::operator+=(const CacheHits& other) {
  n += other.n;
  n_hits += other.n_hits;
  return *this;
}

CacheHits hits_of_ours(const LayerTrace& trace, uint32_t n_expert, uint32_t n_slots, CacheStart start) {
  const auto new_cache = [&] {
    return ExpertCache(n_expert, n_slots, ExpertCache::half_life(n_expert, trace.front().size()));
  };
  ExpertCache cache = new_cache();
  Counter counter(trace, start);
  for (size_t t = 0; t < trace.size(); ++t) {
    if (start == CacheStart::learned && t == trace.size() / 2) {
      const std::vector<float> counts = cache.counts();
      cache = new_cache();
      cache.set_counts(counts);
      for (const uint32_t expert : cache.top_experts())
        if (cache.count_of(expert) > 0) cache.admit(expert);
    }
    std::vector<ExpertCache::Use> uses;
    for (const uint32_t expert : trace[t]) uses.push_back({expert, 1});
    cache.release_all();
    cache.count(uses, 1);
    for (const uint32_t expert : trace[t]) {
      counter.add(t, cache.slot_of(expert).has_value());
      if (cache.slot_of(expert)) cache.hold(expert);
    }
    for (const uint32_t expert : trace[t])
      if (!cache.slot_of(expert) && cache.admit(expert)) cache.hold(expert);
  }
  return counter.hits();
}

CacheHits hits_of_last_used(const LayerTrace& trace, uint32_t n_expert, uint32_t n_slots, CacheStart start) {
  return hits_by(trace, n_expert, n_slots, start, /*may_pass=*/false,
                 [](size_t t, uint32_t) { return static_cast<double>(t); });
}

CacheHits hits_of_best(const LayerTrace& trace, uint32_t n_expert, uint32_t n_slots, CacheStart start) {
  std::vector<std::vector<double>> next(trace.size(), std::vector<double>());
  std::vector<double> soonest(n_expert, std::numeric_limits<double>::max());
  for (size_t t = trace.size(); t-- > 0;) {
    next[t] = soonest;
    for (const uint32_t expert : trace[t]) soonest[expert] = static_cast<double>(t);
  }
  return hits_by(trace, n_expert, n_slots, start, /*may_pass=*/true,
                 [&](size_t t, uint32_t expert) { return -next[t][expert]; });
}

Skew skew_of(const RoutingTrace& trace) {
  const auto part = [&](double share) { return static_cast<uint32_t>(share * trace.n_expert); };
  Skew skew{};
  double n = 0;
  for (const LayerTrace& layer : trace.layers) {
    const std::span<const RoutedToken> tokens = layer;
    n += static_cast<double>(tokens.size() * trace.n_used);
    skew.top_tenth += uses_of_top(tokens, trace.n_expert, part(0.1));
    skew.top_30 += uses_of_top(tokens, trace.n_expert, part(0.3));
    for (size_t idx = 0; idx < trace.text_begins.size(); ++idx) {
      const size_t begin = trace.text_begins[idx];
      const size_t end = idx + 1 < trace.text_begins.size() ? trace.text_begins[idx + 1] : tokens.size();
      skew.top_30_of_text += uses_of_top(tokens.subspan(begin, end - begin), trace.n_expert, part(0.3));
    }
    for (size_t t = 1; t < tokens.size(); ++t)
      for (const uint32_t expert : tokens[t])
        skew.repeated += static_cast<double>(std::ranges::count(tokens[t - 1], expert));
  }
  for (double* share : {&skew.top_tenth, &skew.top_30, &skew.top_30_of_text, &skew.repeated}) *share /= n;
  return skew;
}

}  // namespace ogas
