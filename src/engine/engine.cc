#include "engine/engine.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/engine_core.h"
#include "engine/sequence.h"
#include "engine/step.h"

namespace ogas {
namespace {

Result<> check_item(const LoadedModel& model, const BatchItem& item) {
  OGAS_TRY(model.check_tokens(item.tokens));
  const size_t n_held = item.session->tokens.size(), n_ctx = model.options.n_ctx;
  if (item.tokens.size() <= n_ctx - n_held) return {};
  return fail(ErrorCode::usage, "{} tokens after {}; the context has {}", item.tokens.size(), n_held, n_ctx);
}

}  // namespace

Engine::Engine(std::unique_ptr<EngineCore> core) : core_(std::move(core)) {}
Engine::~Engine() = default;

const TensorFile& Engine::file() const { return core_->model.file; }
const ModelFacts& Engine::facts() const { return core_->facts(); }
const EngineOptions& Engine::options() const { return core_->options(); }
const ModelText& Engine::text() const { return core_->model.text; }
std::string_view Engine::isa() const { return core_->model.kernels.name; }
const ExpertStore* Engine::experts() const { return core_->model.experts.get(); }
std::span<const Linear* const> Engine::linears_of_token() const { return core_->model.model->linears_of_token(); }
std::span<const std::byte> Engine::weight_panels() const { return core_->model.packed.panels(); }
KvManager& Engine::kv() { return core_->kv; }
const KvManager& Engine::kv() const { return core_->kv; }
Engine::SessionPtr Engine::new_session() { return std::make_unique<Session>(kv().cache()); }
void Engine::cancel() { core_->cancel(); }
void Engine::follow_memory_limit() { core_->runner.follow_memory_limit(); }

Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path& path, const EngineOptions& options,
                                             const LoadProgress& progress, const PlanReady& planned) {
  auto core = OGAS_TRY(EngineCore::load(path, options, progress, planned));
  return std::unique_ptr<Engine>(new Engine(std::move(core)));
}

Result<Answer> Engine::generate(Session& session, const Request& request) {
  OGAS_TRY(text().tokenizer_or_error());
  OGAS_TRY(Sequence::check(core_->model, request));
  core_->begin();
  Sequence sequence(*core_, session, request);
  Sequence* const sequences[] = {&sequence};
  StepRunner steps(core_->runner);
  sequence.match_prefix();
  while (!sequence.done()) {
    OGAS_TRY(core_->kv.reserve_positions(session.kv, sequence.plan(options().n_batch).tokens.size()));
    OGAS_TRY(steps.run(sequences));
    if (!sequence.done() && core_->is_cancelled()) sequence.end(FinishReason::cancelled);
  }
  return sequence.take_answer();
}

Result<std::span<const float>> Engine::extend(Session& session, std::span<const TokenId> tokens, RowKind kind) {
  OGAS_TRY(check_item(core_->model, {&session, tokens, kind}));
  const size_t n_batch = options().n_batch;
  std::span<const float> logits;
  for (size_t begin = 0; begin < tokens.size(); begin += n_batch) {
    const size_t n = std::min(n_batch, tokens.size() - begin);
    OGAS_TRY(core_->kv.reserve_positions(session.kv, n));
    const BatchItem part{&session, tokens.subspan(begin, n), kind, /*n_logits=*/begin + n == tokens.size() ? 1U : 0U};
    logits = OGAS_TRY(core_->runner.compute({&part, 1})).logits();
  }
  return logits;
}

Result<std::span<const float>> Engine::extend(std::span<const BatchItem> items) {
  std::vector<const Session*> sessions;
  uint64_t n_bytes = 0;
  for (const BatchItem& item : items) {
    OGAS_TRY(check_item(core_->model, item));
    n_bytes += item.session->kv.prepare_to_extend(item.tokens.size());
    sessions.push_back(item.session);
  }
  std::ranges::sort(sessions);
  if (std::ranges::adjacent_find(sessions) != sessions.end())
    return fail(ErrorCode::usage, "a session is to be extended twice in one pass");
  if (items.empty()) return std::span<const float>();
  OGAS_TRY(core_->kv.reserve(n_bytes));
  return OGAS_TRY(core_->runner.compute(items)).logits();
}

}  // namespace ogas
