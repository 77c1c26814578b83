#include "engine/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/loaded_model.h"
#include "engine/step.h"

namespace ogas {
namespace {

std::string token_text(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  return id ? std::string(tokenizer.bytes_of(*id)) : std::string();
}

}  // namespace

void Engine::SessionDeleter::operator()(Session* session) const { delete session; }

Engine::Engine(std::unique_ptr<LoadedModel> model) : model_(std::move(model)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path& path, const EngineOptions& options,
                                             const LoadProgress& progress, const PlanReady& planned) {
  auto model = OGAS_TRY(
      LoadedModel::load(path, options, progress, planned));  // not within new, whose memory an error would leak
  return std::unique_ptr<Engine>(new Engine(std::move(model)));
}

const TensorFile& Engine::file() const { return model_->file; }
const ModelFacts& Engine::facts() const { return model_->model->facts(); }
const EngineOptions& Engine::options() const { return model_->options; }
std::span<const Linear* const> Engine::linears_of_token() const { return model_->model->linears_of_token(); }
std::span<const std::byte> Engine::packed_weights() const { return model_->packed.panels(); }
const Result<std::unique_ptr<Tokenizer>>& Engine::tokenizer_or_error() const { return model_->tokenizer; }
const Tokenizer* Engine::tokenizer() const { return model_->tokenizer ? model_->tokenizer->get() : nullptr; }
const ChatTemplate* Engine::chat_template() const { return model_->chat_template ? &*model_->chat_template : nullptr; }
const std::string& Engine::chat_template_error() const { return model_->chat_template_error; }
bool Engine::chat_templates_mention(std::string_view name) const {
  const auto mentions = [&](const std::optional<ChatTemplate>& one) { return one && one->mentions(name); };
  return mentions(model_->chat_template) || mentions(model_->tool_template);
}
const AnswerEnds& Engine::answer_ends() const { return model_->ends; }
const SamplingOptions& Engine::recommended_sampling() const { return model_->sampling; }
uint64_t Engine::kv_bytes_used() const { return model_->kv->bytes_used(); }
uint64_t Engine::kv_bytes_cached() const { return model_->kv->bytes_cached(); }
void Engine::flush_prefixes() { model_->kv->flush_prefixes(); }
unsigned Engine::n_threads() const { return model_->pool->size(); }
const ExpertStore* Engine::experts() const { return model_->experts.get(); }
void Engine::follow_memory_limit() { model_->follow_memory_limit(); }
std::string_view Engine::isa() const { return model_->kernels.name; }

Result<RenderedChat> Engine::render_chat(const ChatTemplateInput& input) const {
  if (!model_->tokenizer) return std::unexpected(model_->tokenizer.error());
  if (!model_->chat_template) return fail(ErrorCode::unsupported, "{}", model_->chat_template_error);
  const Tokenizer& tokenizer = **model_->tokenizer;
  ChatTemplateInput complete = input;
  complete.bos_token = token_text(tokenizer, tokenizer.vocab().bos);
  complete.eos_token = token_text(tokenizer, tokenizer.vocab().eos);
  const bool has_tools = input.tools.is_array() && !input.tools.empty();
  const auto& chosen = has_tools && model_->tool_template ? model_->tool_template : model_->chat_template;
  return chosen->render(complete);
}

Result<std::vector<TokenId>> Engine::encode_chat(const ChatTemplateInput& input, ChatOptions options) const {
  const RenderedChat chat = OGAS_TRY(render_chat(input));
  EncodeOptions encoding{.parse_special = true};
  if (!options.special_in_input) encoding.input = chat.input;
  return tokenizer()->encode(chat.text, encoding);
}

Engine::SessionPtr Engine::new_session() { return SessionPtr(new Session(model_->kv->cache())); }

bool Engine::reuses_generated() const { return model_->kv->reuses_generated(); }

std::span<const TokenId> Engine::tokens_of(const Session& session) { return session.tokens; }

Result<Answer> Engine::generate(Session& session, const Request& request) {
  if (!model_->tokenizer) return std::unexpected(model_->tokenizer.error());
  OGAS_TRY(Sequence::check(*model_, request));
  cancelled_.store(false, std::memory_order_relaxed);
  Sequence sequence(*model_, session, request);
  Sequence* const sequences[] = {&sequence};
  StepRunner steps(*model_);
  sequence.match_prefix();
  while (!sequence.done()) {
    OGAS_TRY(model_->kv->reserve_positions(session.kv, sequence.plan(model_->options.n_batch).tokens.size()));
    OGAS_TRY(steps.run(sequences));
    if (!sequence.done() && cancelled_.load(std::memory_order_relaxed)) sequence.end(FinishReason::cancelled);
  }
  return sequence.take_answer();
}

Result<std::span<const float>> Engine::extend(Session& session, std::span<const TokenId> tokens, RowKind kind) {
  OGAS_TRY(model_->check_item({&session, tokens, kind}));
  OGAS_TRY(model_->kv->reserve_positions(session.kv, tokens.size()));
  std::span<const float> logits;
  for (size_t begin = 0; begin < tokens.size(); begin += model_->options.n_batch) {
    const size_t n = std::min<size_t>(model_->options.n_batch, tokens.size() - begin);
    const BatchItem part{&session, tokens.subspan(begin, n), kind, /*n_logits=*/begin + n == tokens.size() ? 1U : 0U};
    logits = OGAS_TRY(model_->compute({&part, 1})).logits();
  }
  return logits;
}

Result<std::span<const float>> Engine::extend(std::span<const BatchItem> items) {
  std::vector<const Session*> sessions;
  size_t n_pages = 0;
  for (const BatchItem& item : items) {
    OGAS_TRY(model_->check_item(item));
    n_pages += item.session->kv.pages_to_extend(item.tokens.size());
    sessions.push_back(item.session);
  }
  std::ranges::sort(sessions);
  if (std::ranges::adjacent_find(sessions) != sessions.end())
    return fail(ErrorCode::usage, "a session is to be extended twice in one pass");
  if (items.empty()) return std::span<const float>();
  OGAS_TRY(model_->kv->reserve_pages(n_pages));
  return OGAS_TRY(model_->compute(items)).logits();
}

Result<> Engine::logits(std::span<const TokenId> tokens, uint32_t batch, const TakeRow& row, RowKind kind) {
  OGAS_TRY(model_->check_tokens(tokens));
  const auto compute = [&](size_t begin, size_t n, KvSequence& kv) -> Result<std::span<const float>> {
    const BatchPart part{
        .tokens = tokens.subspan(begin, n), .kv = &kv, .kind = kind, .n_logits = static_cast<uint32_t>(n)};
    return OGAS_TRY(model_->forward(part)).logits();
  };
  return model_->compute_rows(tokens.size(), batch, compute, row);
}

Result<> Engine::mtp_logits(std::span<const TokenId> tokens, uint32_t batch, const TakeRow& row) {
  OGAS_TRY(model_->check_tokens(tokens));
  if (facts().n_mtp == 0) return fail(ErrorCode::usage, "the model has no MTP head");
  if (tokens.size() < 2) return fail(ErrorCode::usage, "the MTP head needs two tokens or more");
  const auto compute = [&](size_t begin, size_t n, KvSequence& kv) -> Result<std::span<const float>> {
    const Pass pass =
        OGAS_TRY(model_->forward(BatchPart{.tokens = tokens.subspan(begin, n), .kv = &kv, .n_logits = 0}));
    return pass.draft({.tokens = tokens.subspan(begin + 1, n), .n_logits = static_cast<uint32_t>(n)});
  };
  return model_->compute_rows(tokens.size() - 1, batch, compute, row);
}

}  // namespace ogas
