// How often experts are found in memory, beside what the best of all policies would find (Belady 1966, who knows what
// comes), and the one that keeps what was used last (LRU): on traces of experts that tokens took.
//
//   expert_cache_bench                   traces drawn by Zipf's law, as popularity is skewed in trained models
//   expert_cache_bench TRACE N_EXPERT    one line a token: the experts it took in one layer
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "nn/expert_cache.h"

namespace {

using Token = std::vector<uint32_t>;  // experts it takes
using Trace = std::vector<Token>;

struct Draw {
  uint32_t n_expert, n_used;
  double exponent;     // of Zipf's law
  size_t n_a_subject;  // tokens after which a quarter of the experts changes places in popularity; 0: never
};

// Experts without repetition, by weights 1 / rank^exponent (Efraimidis & Spirakis 2006, A-Res).
Trace draw_trace(const Draw& draw, size_t n_tokens, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(std::numeric_limits<double>::min(), 1);
  std::vector<uint32_t> by_rank(draw.n_expert);
  std::iota(by_rank.begin(), by_rank.end(), 0U);
  std::ranges::shuffle(by_rank, random);
  Trace trace;
  std::vector<std::pair<double, uint32_t>> keys(draw.n_expert);
  for (size_t t = 0; t < n_tokens; ++t) {
    if (draw.n_a_subject > 0 && t % draw.n_a_subject == 0)
      for (uint32_t swap = 0; swap < draw.n_expert / 8; ++swap)
        std::swap(by_rank[random() % draw.n_expert], by_rank[random() % draw.n_expert]);
    for (uint32_t rank = 0; rank < draw.n_expert; ++rank)
      keys[rank] = {std::log(uniform(random)) * std::pow(rank + 1, draw.exponent), by_rank[rank]};
    std::ranges::partial_sort(keys, keys.begin() + draw.n_used, std::ranges::greater());
    Token token;
    for (uint32_t k = 0; k < draw.n_used; ++k) token.push_back(keys[k].second);
    trace.push_back(token);
  }
  return trace;
}

// The share of uses that found their expert in memory; from the second quarter on, when the cache has filled.
class Hits {
 public:
  explicit Hits(const Trace& trace) : begin_(trace.size() / 4) {}
  void add(size_t t, bool is_hit) {
    if (t < begin_) return;
    ++n_;
    n_hits_ += is_hit;
  }
  double share() const { return n_ > 0 ? static_cast<double>(n_hits_) / static_cast<double>(n_) : 0; }

 private:
  size_t begin_, n_ = 0, n_hits_ = 0;
};

double hits_of_ours(const Trace& trace, uint32_t n_expert, uint32_t n_places) {
  ogas::ExpertCache cache(n_expert, n_places, ogas::ExpertCache::half_life(n_expert, trace.front().size()));
  Hits hits(trace);
  for (size_t t = 0; t < trace.size(); ++t) {
    std::vector<ogas::ExpertCache::Use> uses;
    for (const uint32_t expert : trace[t]) uses.push_back({expert, 1});
    cache.release_all();
    cache.count(uses, 1);
    for (const uint32_t expert : trace[t]) {
      hits.add(t, cache.place_of(expert).has_value());
      if (cache.place_of(expert)) cache.hold(expert);
    }
    for (const uint32_t expert : trace[t])
      if (!cache.place_of(expert) && cache.admit(expert)) cache.hold(expert);
  }
  return hits.share();
}

// What stays is what has the largest value, which a use sets to that of its token; what is used now is kept before all.
double hits_by(const Trace& trace, uint32_t n_expert, uint32_t n_places, bool may_pass, const auto& value_of_use) {
  constexpr double kOut = -std::numeric_limits<double>::infinity();
  std::vector<double> value(n_expert, kOut);
  std::vector<bool> is_in(n_expert), is_used(n_expert);
  uint32_t n_in = 0;
  Hits hits(trace);
  for (size_t t = 0; t < trace.size(); ++t) {
    for (const uint32_t expert : trace[t]) {
      hits.add(t, is_in[expert]);
      is_used[expert] = true;
      value[expert] = value_of_use(t, expert);
    }
    for (const uint32_t expert : trace[t]) {
      if (is_in[expert]) continue;
      if (n_in == n_places) {
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
  return hits.share();
}

double hits_of_last_used(const Trace& trace, uint32_t n_expert, uint32_t n_places) {
  return hits_by(trace, n_expert, n_places, /*may_pass=*/false,
                 [](size_t t, uint32_t) { return static_cast<double>(t); });
}

double hits_of_best(const Trace& trace, uint32_t n_expert, uint32_t n_places) {
  std::vector<std::vector<double>> next(trace.size(), std::vector<double>());
  std::vector<double> soonest(n_expert, std::numeric_limits<double>::max());
  for (size_t t = trace.size(); t-- > 0;) {
    next[t] = soonest;
    for (const uint32_t expert : trace[t]) soonest[expert] = static_cast<double>(t);
  }
  return hits_by(trace, n_expert, n_places, /*may_pass=*/true,
                 [&](size_t t, uint32_t expert) { return -next[t][expert]; });
}

void compare(const std::string& name, const Trace& trace, uint32_t n_expert) {
  for (const double share : {0.15, 0.3, 0.5}) {
    const auto n_places = static_cast<uint32_t>(share * n_expert);
    const double ours = hits_of_ours(trace, n_expert, n_places), best = hits_of_best(trace, n_expert, n_places);
    fmt::print("{:44} {:3.0f}%  {:6.1f}% {:6.1f}% {:6.1f}%  {:+5.1f}\n", name, 100 * share,
               100 * hits_of_last_used(trace, n_expert, n_places), 100 * ours, 100 * best, 100 * (ours - best));
  }
}

Trace read_trace(const char* path) {
  std::ifstream file(path);
  Trace trace;
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line);
    Token token;
    for (uint32_t expert = 0; numbers >> expert;) token.push_back(expert);
    if (!token.empty()) trace.push_back(token);
  }
  return trace;
}

}  // namespace

int main(int argc, char** argv) {
  fmt::print("{:44} {:4}  {:>7} {:>7} {:>7}  {:>5}\n", "", "room", "LRU", "ours", "best", "");
  if (argc == 3) {
    const Trace trace = read_trace(argv[1]);
    if (trace.empty()) {
      fmt::print(stderr, "{}: no token\n", argv[1]);
      return 1;
    }
    compare(argv[1], trace, static_cast<uint32_t>(std::stoul(argv[2])));
    return 0;
  }
  constexpr std::pair<uint32_t, uint32_t> kModels[] = {{128, 8}, {64, 6}, {256, 8}};
  for (const auto& [n_expert, n_used] : kModels)
    for (const double exponent : {0.8, 1.0, 1.3})
      for (const size_t n_a_subject : {size_t{0}, size_t{200}})
        compare(fmt::format("{} of {}, Zipf {}, {}", n_used, n_expert, exponent,
                            n_a_subject > 0 ? fmt::format("new subject every {}", n_a_subject) : "one subject"),
                draw_trace({n_expert, n_used, exponent, n_a_subject}, 3000, 1), n_expert);
}
