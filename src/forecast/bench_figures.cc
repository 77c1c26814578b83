#include "forecast/bench_figures.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/thread_pool.h"
#include "engine/logits.h"

namespace ogas {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kPromptLengths[] = {32, 128, 512, 2048};
constexpr uint32_t kDepths[] = {0, 2048, 8192};
constexpr uint32_t kTokensOfStep[] = {2, 4, 8, 16};

std::string prefill_name(uint32_t n) { return fmt::format("prefill {}", n); }
std::string decode_name(uint32_t depth) { return fmt::format("decode at {}", depth); }
std::string step_name(uint32_t n) { return fmt::format("{} tokens a step", n); }
std::string sessions_name(uint32_t n) { return fmt::format("{} sessions", n); }

}  // namespace

Machine measure_machine(std::string_view isa, unsigned n_threads, std::span<const std::byte> weights, bool may_allocate,
                        const ShowStep& show) {
  constexpr size_t kLarge = size_t{256} << 20, kMax = size_t{2} << 30;
  Machine machine;
  for (unsigned n = 1; n <= n_threads; n = n == n_threads ? n + 1 : std::min(2 * n, n_threads)) {
    show(fmt::format("reading memory with {} threads", n));
    ThreadPool pool(n);
    machine.bandwidth.push_back(may_allocate && weights.size() < kLarge
                                    ? measure_read_bandwidth(pool)
                                    : measure_read_bandwidth(pool, weights.first(std::min(weights.size(), kMax))));
  }
  show("multiplying");
  ThreadPool pool(n_threads);
  machine.product = measure_product_peaks(pool, isa);
  show("");
  return machine;
}

double MinWork::kernels() const { return std::accumulate(ops_by_kind.begin(), ops_by_kind.end(), 0.0); }

double MinWork::peak(const Machine& machine) const {
  double seconds = 0;
  for (size_t kind = 0; kind < kWeightKinds; ++kind) seconds += ops_by_kind[kind] / machine.product[kind].kernels;
  return kernels() / seconds;
}

WeightKind MinWork::main_kind(const Machine& machine) const {
  size_t main = 0;
  for (size_t kind = 1; kind < kWeightKinds; ++kind)
    if (ops_by_kind[kind] / machine.product[kind].kernels > ops_by_kind[main] / machine.product[main].kernels)
      main = kind;
  return static_cast<WeightKind>(main);
}

double MinWork::limit(const Machine& machine) const {
  return n_tokens / std::max(bytes / machine.bandwidth.back(), kernels() / peak(machine));
}

bool MinWork::is_bound_by_memory(const Machine& machine) const {
  return bytes / machine.bandwidth.back() > kernels() / peak(machine);
}

std::vector<std::string> figure_names() {
  std::vector<std::string> names;
  for (const uint32_t n : kPromptLengths) names.push_back(prefill_name(n));
  for (const uint32_t depth : kDepths) names.push_back(decode_name(depth));
  for (const uint32_t n : kTokensOfStep) names.push_back(step_name(n));
  for (const uint32_t n : kTokensOfStep) names.push_back(sessions_name(n));
  return names;
}

std::vector<TokenId> make_tokens(size_t n, uint32_t n_vocab) {
  std::vector<TokenId> tokens(n);
  uint64_t state = 1;
  for (TokenId& token : tokens) {
    state = state * 6364136223846793005U + 1442695040888963407U;  // Knuth, MMIX
    token = static_cast<TokenId>((state >> 33) % n_vocab);
  }
  return tokens;
}

MinWork work_of_pass(const ModelFacts& facts, uint32_t n_tokens, uint32_t n_logits) {
  auto kernels = facts.products_by_kind(n_tokens, n_logits);
  for (double& of_kind : kernels) of_kind *= 2;
  return {.n_tokens = static_cast<double>(n_tokens),
          .bytes = facts.pass_bytes(n_tokens) + static_cast<double>(facts.kv.state_bytes()),
          .ops_by_kind = kernels};
}

MinWork work_of_token(const ModelFacts& facts, const KvLayout& kv, uint32_t depth) {
  MinWork work = work_of_pass(facts, 1, 1);
  work.bytes += static_cast<double>(kv.read_bytes(depth));
  return work;
}

// Limits must hold whatever the router chooses: if experts may be skipped for their weight, only the best one is
// certain.
Bench::Bench(Engine& engine, const FigureOptions& options)
    : engine_(engine), options_(options), facts_(engine.facts()) {
  facts_.n_expert_used = facts_.n_expert_used_min;
}

Result<std::vector<Figure>> Bench::run() {
  OGAS_TRY(first_token());
  for (const uint32_t n : kPromptLengths) OGAS_TRY(prefill(n));
  for (const uint32_t depth : kDepths) OGAS_TRY(decode(depth));
  for (const uint32_t n : kTokensOfStep) OGAS_TRY(step_of(n));
  for (const uint32_t n : kTokensOfStep) OGAS_TRY(sessions_of(n));
  options_.show("");
  return std::move(figures_);
}

bool Bench::is_wanted(std::string_view name) const {
  return options_.only.empty() || std::ranges::find(options_.only, name) != options_.only.end();
}

std::string Bench::why_not(std::string_view name, uint32_t n_prompt, uint32_t n_more) const {
  // The figure that machines and programs are compared by, and figures asked for by name, are measured at least once,
  // however long that takes.
  const bool is_due = name == prefill_name(512) || !options_.only.empty();
  if (n_prompt + n_more > engine_.options().n_ctx)
    return fmt::format("the context has {} positions", engine_.options().n_ctx);
  if (!is_due && prefill_rate_ > 0 && n_prompt / prefill_rate_ > options_.budget_seconds)
    return fmt::format("the prompt would take {:.0f} s; --budget allows for it", n_prompt / prefill_rate_);
  return {};
}

Result<> Bench::repeat(Figure& figure, const Repetition& seconds) {
  std::vector<double> rates;
  const ExpertStore* experts = engine_.experts();
  const auto before = experts ? experts->stats() : ExpertStore::Stats{};
  const auto begin = Clock::now();
  while (rates.size() < options_.n_repeat && (rates.empty() || seconds_since(begin) < options_.budget_seconds))
    rates.push_back(figure.work.n_tokens / OGAS_TRY(seconds()));
  figure.rate = median_of(rates);
  if (experts) figure.overlap = {.seconds = seconds_since(begin), .experts = experts->stats().since(before)};
  return {};
}

Result<> Bench::first_token() {
  constexpr uint32_t kPrompt = 32;
  const uint32_t n = std::min(kPrompt, engine_.options().n_ctx);
  options_.show("first token");
  const auto session = engine_.new_session();
  const auto start = Clock::now();
  OGAS_TRY(engine_.extend(*session, make_tokens(n, engine_.facts().n_vocab)));
  const double seconds = seconds_since(start);
  first_answer_ = {.n_prompt = n, .prefill_seconds = seconds, .first_token_seconds = seconds};
  prefill_rate_ = first_answer_.prefill_rate();
  return {};
}

Result<> Bench::prefill(uint32_t n) {
  Figure figure{.name = prefill_name(n), .work = work_of_pass(facts_, n, 1)};
  if (!is_wanted(figure.name)) return {};
  figure.skipped = why_not(figure.name, n, 0);
  options_.show(figure.name);
  if (figure.skipped.empty()) {
    const auto tokens = make_tokens(n, engine_.facts().n_vocab);
    OGAS_TRY(repeat(figure, [&]() -> Result<double> {
      const auto session = engine_.new_session();
      const auto start = Clock::now();
      OGAS_TRY(engine_.extend(*session, tokens));
      return seconds_since(start);
    }));
    prefill_rate_ = figure.rate.value;
  }
  figures_.push_back(std::move(figure));
  return {};
}

Result<> Bench::decode(uint32_t depth) {
  constexpr uint32_t kSteps = 16;  // of one repetition
  KvLayout kv = engine_.facts().kv;
  OGAS_TRY(kv.set_format(engine_.options().kv_cache_type));
  Figure figure{.name = decode_name(depth), .work = work_of_token(facts_, kv, depth)};
  if (!is_wanted(figure.name)) return {};
  // Even depth 0 starts with a prompt of one token.
  const uint32_t n_prompt = std::max(depth, 1U);
  figure.skipped = why_not(figure.name, n_prompt, kSteps * options_.n_repeat);
  options_.show(figure.name);
  if (figure.skipped.empty()) {
    const auto session = engine_.new_session();
    auto logits = OGAS_TRY(engine_.extend(*session, make_tokens(n_prompt, engine_.facts().n_vocab)));
    OGAS_TRY(repeat(figure, [&]() -> Result<double> {
      const auto start = Clock::now();
      for (uint32_t step = 0; step < kSteps; ++step) {
        const auto token = static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
        logits = OGAS_TRY(engine_.extend(*session, std::span(&token, 1), RowKind::decode));
      }
      return seconds_since(start) / kSteps;
    }));
  }
  figures_.push_back(std::move(figure));
  return {};
}

// Consecutive tokens of one sequence, with the logits of each, as speculation verifies them.
Result<> Bench::step_of(uint32_t n) {
  constexpr uint32_t kTokens = 32;  // of one repetition, from an empty context
  Figure figure{.name = step_name(n), .work = work_of_pass(facts_, n, n)};
  if (!is_wanted(figure.name)) return {};
  figure.skipped = why_not(figure.name, kTokens, 0);
  options_.show(figure.name);
  if (figure.skipped.empty()) {
    const auto tokens = make_tokens(kTokens, facts_.n_vocab);
    OGAS_TRY(repeat(figure, [&]() -> Result<double> {
      const auto start = Clock::now();
      OGAS_TRY(compute_logits(engine_, tokens, n, [](size_t, std::span<const float>) {}, RowKind::decode));
      return seconds_since(start) * n / kTokens;
    }));
  }
  figures_.push_back(std::move(figure));
  return {};
}

// One token for each of several sequences, as for several users.
Result<> Bench::sessions_of(uint32_t n) {
  constexpr uint32_t kSteps = 8;  // of one repetition
  Figure figure{.name = sessions_name(n), .work = work_of_pass(facts_, n, n)};
  if (!is_wanted(figure.name)) return {};
  figure.skipped = why_not(figure.name, 1, kSteps * options_.n_repeat);
  options_.show(figure.name);
  if (figure.skipped.empty()) {
    const auto tokens = make_tokens(n, facts_.n_vocab);
    std::vector<Engine::SessionPtr> sessions;
    std::vector<BatchItem> step;
    for (uint32_t idx = 0; idx < n; ++idx) {
      sessions.push_back(engine_.new_session());
      step.push_back({sessions.back().get(), std::span(tokens).subspan(idx, 1), RowKind::decode});
    }
    OGAS_TRY(engine_.extend(step));
    OGAS_TRY(repeat(figure, [&]() -> Result<double> {
      const auto start = Clock::now();
      for (uint32_t idx = 0; idx < kSteps; ++idx) OGAS_TRY(engine_.extend(step));
      return seconds_since(start) / kSteps;
    }));
  }
  figures_.push_back(std::move(figure));
  return {};
}

}  // namespace ogas
