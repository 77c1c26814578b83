// Hit rates of the expert cache on traces, next to those of the optimal policy (Belady 1966, which knows the future)
// and of LRU.
//
//   expert_cache_bench            traces drawn by Zipf's law, each token for itself
//   expert_cache_bench TRACE...   traces of models, as tools/record_routing.py records them; all layers together
//
// bench/data/trained_moe.trace is of a small model that tools/train_moe.py trained; its head says how. The first
// figures say how uneven the uses are: the shares of the 10% and the 30% of experts that are used most, the share of
// the 30% if each text has its own, and the share of uses whose expert the token before used, too.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "expert_cache_simulator.h"
#include "routing_trace.h"

namespace {

using ogas::CacheHits;
using ogas::CacheStart;
using ogas::RoutingTrace;

struct Draw {
  uint32_t n_expert, n_used;
  double exponent;     // of Zipf's law
  size_t n_a_subject;  // tokens after which a quarter of the experts swap their popularity; 0: never
};

// Experts without repetition, by weights 1 / rank^exponent (Efraimidis & Spirakis 2006, A-Res).
RoutingTrace draw_trace(const Draw& draw, size_t n_tokens, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(std::numeric_limits<double>::min(), 1);
  std::vector<uint32_t> by_rank(draw.n_expert);
  std::iota(by_rank.begin(), by_rank.end(), 0U);
  std::ranges::shuffle(by_rank, random);
  RoutingTrace trace{.n_expert = draw.n_expert, .n_used = draw.n_used, .layers = {{}}, .text_begins = {}};
  std::vector<std::pair<double, uint32_t>> keys(draw.n_expert);
  for (size_t t = 0; t < n_tokens; ++t) {
    const bool is_new = draw.n_a_subject > 0 && t % draw.n_a_subject == 0;
    if (t == 0 || is_new) trace.text_begins.push_back(t);
    if (is_new)
      for (uint32_t swap = 0; swap < draw.n_expert / 8; ++swap)
        std::swap(by_rank[random() % draw.n_expert], by_rank[random() % draw.n_expert]);
    for (uint32_t rank = 0; rank < draw.n_expert; ++rank)
      keys[rank] = {std::log(uniform(random)) * std::pow(rank + 1, draw.exponent), by_rank[rank]};
    std::ranges::partial_sort(keys, keys.begin() + draw.n_used, std::ranges::greater());
    ogas::RoutedToken token;
    for (uint32_t k = 0; k < draw.n_used; ++k) token.push_back(keys[k].second);
    trace.layers.front().push_back(token);
  }
  return trace;
}

void compare(const std::string& name, const RoutingTrace& trace, CacheStart start) {
  for (const double share : {0.15, 0.3, 0.5}) {
    const auto n_slots = static_cast<uint32_t>(share * trace.n_expert);
    const auto percent = [&](const auto& hits_of) {
      CacheHits hits;
      for (const auto& layer : trace.layers) hits += hits_of(layer, trace.n_expert, n_slots, start);
      return 100 * hits.share();
    };
    const double ours = percent(ogas::hits_of_ours), best = percent(ogas::hits_of_best);
    fmt::print("{:44} {:3.0f}%  {:6.1f}% {:6.1f}% {:6.1f}%  {:+5.1f}\n", name, 100 * share,
               percent(ogas::hits_of_last_used), ours, best, ours - best);
  }
}

void print_skew(const std::string& name, const RoutingTrace& trace) {
  const ogas::Skew skew = ogas::skew_of(trace);
  fmt::print("{:44} top 10% {:3.0f}%, top 30% {:3.0f}%, of a text {:3.0f}%, repeated {:3.0f}%\n", name,
             100 * skew.top_tenth, 100 * skew.top_30, 100 * skew.top_30_of_text, 100 * skew.repeated);
}

void print_head() { fmt::print("{:44} {:4}  {:>7} {:>7} {:>7}  {:>5}\n", "", "slots", "LRU", "ours", "best", ""); }

ogas::Result<> compare_recorded(const std::string& path) {
  constexpr size_t kMaxBytes = size_t{256} << 20;
  const std::string text = OGAS_TRY(ogas::read_file(path, kMaxBytes));
  const RoutingTrace trace = OGAS_TRY(ogas::parse_routing_trace(text, path));
  print_skew(path, trace);
  print_head();
  compare("  from an empty cache", trace, CacheStart::empty);
  compare("  from the second quarter on", trace, CacheStart::filled);
  compare("  second half, top experts of the first", trace, CacheStart::learned);
  return {};
}

void compare_drawn() {
  constexpr std::pair<uint32_t, uint32_t> kModels[] = {{128, 8}, {64, 6}, {64, 4}, {256, 8}};
  std::vector<std::pair<std::string, RoutingTrace>> traces;
  for (const auto& [n_expert, n_used] : kModels)
    for (const double exponent : {0.8, 1.0, 1.3})
      for (const size_t n_a_subject : {size_t{0}, size_t{200}})
        traces.emplace_back(
            fmt::format("{} of {}, Zipf {}, {}", n_used, n_expert, exponent,
                        n_a_subject > 0 ? fmt::format("new subject every {}", n_a_subject) : "one subject"),
            draw_trace({n_expert, n_used, exponent, n_a_subject}, 3000, 1));
  for (const auto& [name, trace] : traces) print_skew(name, trace);
  fmt::print("\n");
  print_head();
  for (const auto& [name, trace] : traces) compare(name, trace, CacheStart::filled);
}

}  // namespace

int main(int argc, char** argv) {
  for (int idx = 1; idx < argc; ++idx) {
    if (const auto compared = compare_recorded(argv[idx]); !compared) {
      fmt::print(stderr, "{}\n", compared.error().message);
      return 1;
    }
  }
  if (argc == 1) compare_drawn();
}
