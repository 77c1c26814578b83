#include "engine/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "arch/registry.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "engine/recommended_sampling.h"
#include "engine/sampler.h"
#include "engine/stop_filter.h"
#include "files/template_reader.h"
#include "files/vocab_reader.h"
#include "kernels/dispatch.h"
#include "nn/packed_weights.h"

namespace ogas {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

constexpr uint32_t kMinContext = 512;

KvShape kv_shape(const ModelFacts& facts, const EngineOptions& options) {
  KvShape shape = facts.kv;
  shape.format = options.kv_format;
  return shape;
}

// What the model, a full context and a batch take, in bytes.
uint64_t bytes_needed(const ModelFacts& facts, const EngineOptions& options) {
  return facts.weight_bytes + kv_shape(facts, options).sequence_bytes(options.n_ctx) +
         facts.token_bytes * options.n_batch + uint64_t{facts.n_vocab} * sizeof(float);
}

// Tokens computed together: more are somewhat quicker, since weights are read and unpacked and threads meet less often;
// from 512 on nothing is gained. They may take a twentieth of what the weights take beyond those of a small model, so
// that small models stay small. Operations that decode weights for a batch gain more from its length.
uint32_t batch_for(const ModelFacts& facts, const Ops& ops) {
  const uint64_t least = ops.tile_rows > 0 ? 64 : 32;
  constexpr uint64_t kSmall = uint64_t{128} << 20;
  const uint64_t room = (std::max(facts.weight_bytes, kSmall) - kSmall) / 20;
  return static_cast<uint32_t>(std::clamp<uint64_t>(room / std::max<uint64_t>(facts.token_bytes, 1), least, 512));
}

Result<> check_kv_format(Format format, const KvShape& kv) {
  const FormatFacts& facts = facts_of(format);
  if (std::ranges::find(kKvFormats, format) == std::end(kKvFormats))
    return fail(ErrorCode::usage, "keys and values can be kept as F32, F16, BF16, Q8_0 or Q4_0, not {}", facts.name);
  for (const uint32_t dim : {kv.k_dim, kv.v_dim, kv.index_dim})
    if (dim % facts.block_values != 0)
      return fail(ErrorCode::usage,
                  "this model's keys and values have {} dimensions, which {} cannot hold: it needs a "
                  "multiple of {}",
                  dim, facts.name, facts.block_values);
  return {};
}

// Fills in what was left to us, and refuses what cannot work before anything is loaded.
Result<EngineOptions> resolve(EngineOptions options, const ModelFacts& facts, const Ops& ops) {
  if (options.n_batch > 65536)
    return fail(ErrorCode::usage, "batch is {}; it must lie between 1 and 65536", options.n_batch);
  if (options.n_batch == 0) options.n_batch = batch_for(facts, ops);
  if (options.n_threads > 1024)
    return fail(ErrorCode::usage, "threads is {}; at most 1024 make sense", options.n_threads);
  OGAS_TRY(check_kv_format(options.kv_format, facts.kv));
  if (options.n_threads == 0) options.n_threads = usable_cores();

  const uint64_t available = available_memory();
  const KvShape kv = kv_shape(facts, options);
  const bool chosen_by_us = options.n_ctx == 0;
  const uint64_t fixed = facts.weight_bytes + kv.sequence_bytes(0);
  const uint64_t half = available > fixed ? (available - fixed) / 2 : 0;
  if (chosen_by_us) {
    // The model's own limit, or what the budget holds.
    const uint64_t pages = (options.kv_budget > 0 ? options.kv_budget : half) / kv.page_bytes();
    const uint64_t fitting = std::max<uint64_t>(kMinContext, pages * KvShape::kPagePositions);
    options.n_ctx = static_cast<uint32_t>(std::min<uint64_t>(facts.n_ctx_train, fitting));
  }
  const uint64_t context_bytes =
      (uint64_t{options.n_ctx} + KvShape::kPagePositions - 1) / KvShape::kPagePositions * kv.page_bytes();
  if (options.kv_budget == 0)
    options.kv_budget = std::max(half, context_bytes);
  else if (options.kv_budget < context_bytes)
    return fail(ErrorCode::usage, "a context of {} positions takes {}; the budget for keys and values is {}",
                options.n_ctx, format_bytes(context_bytes), format_bytes(options.kv_budget));
  const uint64_t needed = bytes_needed(facts, options);
  if (needed <= available) return options;
  return fail(ErrorCode::out_of_memory,
              "the model needs {} ({} of weights, {} for {} positions of context); {} {} free", format_bytes(needed),
              format_bytes(facts.weight_bytes), format_bytes(kv.sequence_bytes(options.n_ctx)), options.n_ctx,
              format_bytes(available),
              chosen_by_us || facts.weight_bytes > available ? "is" : "(try a smaller context) is");
}

const MappedFile& shard_of(const TensorFile& file, Bytes bytes) {
  for (const MappedFile& shard : file.shards()) {
    const Bytes whole = shard.bytes();
    if (bytes.data() >= whole.data() && bytes.data() + bytes.size() <= whole.data() + whole.size()) return shard;
  }
  OGAS_CHECK(false, "{} bytes that no shard has", bytes.size());
  std::unreachable();
}

// Tensors that stay where they are mapped, in the order of the file. Not vectors, of which the model has copies: each
// would bring the pages around it into memory.
std::vector<Bytes> unpacked_tensors(const TensorFile& file, const PackedWeights& packed) {
  std::vector<Bytes> parts;
  for (const auto& [name, tensor] : file.tensors()) {
    if (tensor.shape.n_dims > 1 && !tensor.data.empty() && !packed.replaces(tensor.data)) parts.push_back(tensor.data);
    if (!tensor.scales.empty()) parts.push_back(tensor.scales);
  }
  std::ranges::sort(parts, {}, [](Bytes part) { return part.data(); });
  return parts;
}

// Brings the weights into memory piece by piece, so that progress can be shown and a failing disk is an error. What
// becomes panels is read by those who pack it, and let go of again. So is the rest of the file: a vocabulary has been
// copied, and its bytes would only take up room.
Result<> read_weights(const TensorFile& file, Exec& exec, PackedWeights& packed, const Engine::LoadProgress& progress) {
  constexpr size_t kPiece = size_t{32} << 20;
  const std::vector<Bytes> unpacked = unpacked_tensors(file, packed);
  uint64_t done = 0, total = packed.n_stored_bytes();
  for (const Bytes part : unpacked) total += part.size();
  const auto advance = [&](uint64_t n_bytes) {
    done += n_bytes;
    if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
  };
  const PackedWeights::Mapping mapping{.read = [&](Bytes part) { return shard_of(file, part).populate(part); },
                                       .release = [&](Bytes part) { shard_of(file, part).release(part); }};
  OGAS_TRY(packed.pack(exec, mapping, advance));
  for (const MappedFile& shard : file.shards()) shard.release(shard.bytes());
  for (const Bytes part : unpacked) {
    for (size_t begin = 0; begin < part.size(); begin += kPiece) {
      const Bytes piece = part.subspan(begin, std::min(kPiece, part.size() - begin));
      OGAS_TRY(shard_of(file, piece).populate(piece));
      advance(piece.size());
    }
  }
  return {};
}

std::string token_text(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  return id ? std::string(tokenizer.bytes_of(*id)) : std::string();
}

}  // namespace

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop: return "stop";
    case FinishReason::stop_text: return "stop_text";
    case FinishReason::length: return "length";
    case FinishReason::cancelled: return "cancelled";
  }
  std::unreachable();
}

double AnswerStats::prefill_rate() const { return prefill_seconds > 0 ? (n_prompt - n_cached) / prefill_seconds : 0; }

double AnswerStats::decode_rate() const {
  // The first token comes with the prefill.
  return decode_seconds > 0 && n_generated > 1 ? (n_generated - 1) / decode_seconds : 0;
}

class Session {
 public:
  explicit Session(KvCache& cache) : kv(cache) {}

  KvSequence kv;
  std::vector<TokenId> tokens;  // those kv holds
  size_t n_given = 0;           // of these, the first ones, up to one that was generated

  void append(std::span<const TokenId> computed, RowKind kind) {
    if (kind == RowKind::prompt && n_given == tokens.size()) n_given += computed.size();
    tokens.insert(tokens.end(), computed.begin(), computed.end());
  }
};

void Engine::SessionDeleter::operator()(Session* session) const { delete session; }

struct Engine::Parts {
  TensorFile file;
  std::unique_ptr<Model> model;
  EngineOptions options;
  const Ops* ops = nullptr;
  Result<std::unique_ptr<Tokenizer>> tokenizer = fail(ErrorCode::unsupported, "no tokenizer");
  std::optional<ChatTemplate> chat_template;
  std::optional<ChatTemplate> tool_template;  // where there is another for conversations with tools
  std::string chat_template_error = "the model file has no chat template";
  SamplingOptions sampling;
  std::unique_ptr<ThreadPool> pool;
  PackedWeights packed;
  std::unique_ptr<KvCache> kv_cache;

  std::span<const float> forward(const BatchPart& part) {
    Exec exec{*pool, *ops};
    return model->forward(exec, {&part, 1});
  }
  // The logits [n, n_vocab] of tokens begin..begin + n, whose keys and values go into the sequence.
  using ComputeRows = std::function<std::span<const float>(size_t begin, size_t n, KvSequence&)>;
  // n_rows rows of logits from an empty context, `batch` at a time (0: n_batch).
  Result<> compute_rows(size_t n_rows, uint32_t batch, const ComputeRows& compute, const TakeRow& row);
  Result<> check_tokens(std::span<const TokenId> tokens) const;
  Result<> check_extension(const Extension& extension) const;
  // Whether there are pages for so many more positions of a sequence. Errors: out_of_memory.
  Result<> check_room(const KvSequence& kv, size_t n) const { return check_pages(kv.pages_to_extend(n)); }
  Result<> check_pages(size_t n_pages) const;
  // Logits after the last token of each.
  std::span<const float> compute(std::span<const Extension> extensions);
  bool goes_on_from_generated() const {
    return !model->facts().prompts_differ && (ops->tile_rows == 0 || packed.panels().empty());
  }
  void read_chat_template();
};

// A request on its way, and the three verbs of a step.
class Engine::Run {
 public:
  Run(Parts& parts, Session& session, const Request& request)
      : parts_(parts),
        session_(session),
        request_(request),
        sequence_(request.prompt),
        sampler_(request.sampling),
        decoder_(*parts.tokenizer->get()),
        filter_(request.stop) {
    // The last prompt token is always computed: its logits are what the answer starts from. Recurrent layers have fewer
    // places to go back to.
    const auto common = std::ranges::mismatch(session.tokens, request.prompt).in1 - session.tokens.begin();
    size_t n_cached = std::min<size_t>(static_cast<size_t>(common), request.prompt.size() - 1);
    if (!parts.goes_on_from_generated()) n_cached = std::min(n_cached, session.n_given);
    n_cached = session.kv.reachable(n_cached);
    session.kv.truncate(n_cached);
    session.tokens.resize(n_cached);
    session.n_given = std::min(session.n_given, n_cached);
    if (session.kv.shape().state.n_layer > 0 && request.prompt.size() > kPromptTail)
      keep_at_ = request.prompt.size() - kPromptTail;
    answer_.stats.n_prompt = static_cast<uint32_t>(request.prompt.size());
    answer_.stats.n_cached = static_cast<uint32_t>(n_cached);
  }

  // The next tokens to compute: a piece of the prompt, or the token sampled last.
  BatchPart schedule();
  // Runs them; the logits of the last one.
  std::span<const float> run(const BatchPart& part);
  // Samples, shows and decides whether that was all.
  void finish(std::span<const float> logits);

  bool done() const { return done_; }
  void cancel() { end(FinishReason::cancelled); }
  Answer take_answer();

 private:
  void accept(TokenId id);
  void emit(std::string text);
  void end(FinishReason reason);

  Parts& parts_;
  // A copy of recurrent states is taken so many tokens before the prompt's end: templates close a prompt with some that
  // the next turn does not repeat, such as an opened <think>.
  static constexpr size_t kPromptTail = 16;

  Session& session_;
  const Request& request_;
  std::vector<TokenId> sequence_;  // prompt and answer
  size_t keep_at_ = 0;             // tokens the session holds when the copy is taken; 0: none is
  Sampler sampler_;
  StreamDecoder decoder_;
  StopFilter filter_;
  Answer answer_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point prefilled_ = start_;
  bool done_ = false;
};

Result<> Engine::Parts::check_tokens(std::span<const TokenId> tokens) const {
  if (tokens.empty()) return fail(ErrorCode::usage, "the prompt is empty");
  if (tokens.size() > options.n_ctx)
    return fail(ErrorCode::usage, "the prompt has {} tokens, {} more than the context of {}", tokens.size(),
                tokens.size() - options.n_ctx, options.n_ctx);
  const auto n_vocab = static_cast<TokenId>(model->facts().n_vocab);
  for (size_t idx = 0; idx < tokens.size(); ++idx)
    if (tokens[idx] < 0 || tokens[idx] >= n_vocab)
      return fail(ErrorCode::usage, "token {} at position {}: the vocabulary has {}", tokens[idx], idx, n_vocab);
  return {};
}

void Engine::Parts::read_chat_template() {
  const auto sources = options.chat_template.empty() ? read_chat_templates(file)
                                                     : Result<NamedTemplates>({{"default", options.chat_template}});
  if (!sources) {
    chat_template_error = sources.error().message;
    return;
  }
  const std::string* plain = choose_chat_template(*sources, /*has_tools=*/false);
  const std::string* with_tools = choose_chat_template(*sources, /*has_tools=*/true);
  const auto parse_into = [&](const std::string* source, std::optional<ChatTemplate>& destination) {
    if (!source) return;
    auto parsed = ChatTemplate::parse(*source);
    if (parsed)
      destination = *std::move(parsed);
    else
      chat_template_error = std::move(parsed).error().message;
  };
  parse_into(plain, chat_template);
  if (with_tools != plain) parse_into(with_tools, tool_template);
}

BatchPart Engine::Run::schedule() {
  const size_t begin = session_.tokens.size();
  const size_t n = std::min<size_t>(parts_.options.n_batch, (begin < keep_at_ ? keep_at_ : sequence_.size()) - begin);
  return {.tokens = std::span<const TokenId>(sequence_).subspan(begin, n),
          .kv = &session_.kv,
          .kind = begin < request_.prompt.size() ? RowKind::prompt : RowKind::generated};
}

std::span<const float> Engine::Run::run(const BatchPart& part) {
  const auto logits = parts_.forward(part);
  if (part.kv->n_positions() == keep_at_) session_.kv.keep();
  session_.append(part.tokens, part.kind);
  return logits;
}

void Engine::Run::finish(std::span<const float> logits) {
  if (session_.tokens.size() < sequence_.size()) return;  // the prompt is not through yet
  if (answer_.stats.n_generated == 0) prefilled_ = Clock::now();
  const TokenId id = sampler_.sample(logits, sequence_);
  if (++answer_.stats.n_generated == 1) answer_.stats.first_token_seconds = seconds_between(start_, Clock::now());
  const Tokenizer& tokenizer = **parts_.tokenizer;
  if (!request_.ignore_end && tokenizer.is_end_of_generation(id)) return end(FinishReason::stop);
  if (request_.sampling.wants_logprobs())
    answer_.logprobs.push_back(logprobs_of(logits, id, request_.sampling.n_logprobs));
  accept(id);
}

void Engine::Run::accept(TokenId id) {
  sequence_.push_back(id);
  answer_.tokens.push_back(id);
  const Tokenizer& tokenizer = **parts_.tokenizer;
  if (!tokenizer.is_control(id)) emit(filter_.push(decoder_.push(id)));
  if (filter_.found()) return end(FinishReason::stop_text);
  const bool enough = request_.max_tokens > 0 && answer_.tokens.size() >= request_.max_tokens;
  if (enough || sequence_.size() > parts_.options.n_ctx) end(FinishReason::length);
}

void Engine::Run::emit(std::string text) {
  if (text.empty()) return;
  answer_.text += text;
  if (request_.on_text) request_.on_text(text);
}

void Engine::Run::end(FinishReason reason) {
  emit(filter_.push(decoder_.flush()));
  if (!filter_.found()) emit(filter_.flush());
  answer_.finish = reason;
  done_ = true;
}

Answer Engine::Run::take_answer() {
  const auto now = Clock::now();
  if (answer_.stats.n_generated == 0) prefilled_ = now;
  answer_.stats.prefill_seconds = seconds_between(start_, prefilled_);
  answer_.stats.decode_seconds = seconds_between(prefilled_, now);
  return std::move(answer_);
}

Engine::Engine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path& path, const EngineOptions& options,
                                             const LoadProgress& progress) {
  const Ops* ops = OGAS_TRY(choose_ops());
  auto parts = std::make_unique<Parts>();
  parts->ops = ops;
  parts->file = OGAS_TRY(TensorFile::open(path));
  auto model = create_model(parts->file);
  if (!model) return fail_within(model.error(), "{}", path.string());
  parts->model = *std::move(model);
  parts->packed = PackedWeights(*ops, parts->model->linears());
  ModelFacts in_memory = parts->model->facts();
  in_memory.weight_bytes += parts->packed.n_bytes() - parts->packed.n_stored_bytes();
  parts->options = OGAS_TRY(resolve(options, in_memory, *ops));

  auto sampling = ogas::recommended_sampling(parts->file);
  if (!sampling) return fail_within(sampling.error(), "{}", path.string());
  parts->sampling = *sampling;
  auto vocab = read_vocab(parts->file);
  parts->tokenizer = vocab ? Tokenizer::create(*std::move(vocab)) : std::unexpected(std::move(vocab).error());
  parts->read_chat_template();
  return_freed_memory();
  parts->pool = std::make_unique<ThreadPool>(parts->options.n_threads);
  Exec exec{*parts->pool, *ops};
  OGAS_TRY(read_weights(parts->file, exec, parts->packed, progress));
  parts->kv_cache =
      std::make_unique<KvCache>(kv_shape(parts->model->facts(), parts->options), parts->options.kv_budget);
  return std::unique_ptr<Engine>(new Engine(std::move(parts)));
}

const TensorFile& Engine::file() const { return parts_->file; }
const ModelFacts& Engine::facts() const { return parts_->model->facts(); }
const EngineOptions& Engine::options() const { return parts_->options; }
std::span<const Linear* const> Engine::linears_of_token() const { return parts_->model->linears_of_token(); }
std::span<const std::byte> Engine::packed_weights() const { return parts_->packed.panels(); }
const Result<std::unique_ptr<Tokenizer>>& Engine::tokenizer_or_error() const { return parts_->tokenizer; }
const Tokenizer* Engine::tokenizer() const { return parts_->tokenizer ? parts_->tokenizer->get() : nullptr; }
const ChatTemplate* Engine::chat_template() const { return parts_->chat_template ? &*parts_->chat_template : nullptr; }
const std::string& Engine::chat_template_error() const { return parts_->chat_template_error; }
const SamplingOptions& Engine::recommended_sampling() const { return parts_->sampling; }
uint64_t Engine::kv_bytes_used() const { return parts_->kv_cache->bytes_used(); }
unsigned Engine::n_threads() const { return parts_->pool->size(); }
std::string_view Engine::isa() const { return parts_->ops->name; }

Result<std::vector<TokenId>> Engine::encode_chat(const ChatTemplateInput& input, ChatOptions options) const {
  if (!parts_->tokenizer) return std::unexpected(parts_->tokenizer.error());
  if (!parts_->chat_template) return fail(ErrorCode::unsupported, "{}", parts_->chat_template_error);
  const Tokenizer& tokenizer = **parts_->tokenizer;
  ChatTemplateInput complete = input;
  complete.bos_token = token_text(tokenizer, tokenizer.vocab().bos);
  complete.eos_token = token_text(tokenizer, tokenizer.vocab().eos);
  const bool has_tools = input.tools.is_array() && !input.tools.empty();
  const auto& chosen = has_tools && parts_->tool_template ? parts_->tool_template : parts_->chat_template;
  const RenderedChat chat = OGAS_TRY(chosen->render(complete));
  EncodeOptions encoding{.parse_special = true};
  if (!options.special_in_input) encoding.input = chat.input;
  return tokenizer.encode(chat.text, encoding);
}

Engine::SessionPtr Engine::new_session() { return SessionPtr(new Session(*parts_->kv_cache)); }

bool Engine::goes_on_from_generated() const { return parts_->goes_on_from_generated(); }

std::span<const TokenId> Engine::tokens_of(const Session& session) { return session.tokens; }

Result<Answer> Engine::generate(Session& session, const Request& request) {
  if (!parts_->tokenizer) return std::unexpected(parts_->tokenizer.error());
  OGAS_TRY(parts_->check_tokens(request.prompt));
  OGAS_TRY(request.sampling.validate());
  OGAS_TRY(request.sampling.check_tokens(facts().n_vocab));
  cancelled_.store(false, std::memory_order_relaxed);
  Run run(*parts_, session, request);
  while (!run.done()) {
    const BatchPart part = run.schedule();
    OGAS_TRY(parts_->check_room(session.kv, part.tokens.size()));
    const auto logits = run.run(part);
    run.finish(logits);
    if (!run.done() && cancelled_.load(std::memory_order_relaxed)) run.cancel();
  }
  return run.take_answer();
}

Result<> Engine::Parts::check_extension(const Extension& extension) const {
  OGAS_TRY(check_tokens(extension.tokens));
  const size_t n_held = extension.session->tokens.size();
  if (extension.tokens.size() <= options.n_ctx - n_held) return {};
  return fail(ErrorCode::usage, "{} tokens behind {}; the context has {}", extension.tokens.size(), n_held,
              options.n_ctx);
}

Result<> Engine::Parts::check_pages(size_t n_pages) const {
  if (n_pages <= kv_cache->n_free()) return {};
  const auto bytes = [&](size_t n) { return format_bytes(n * kv_cache->shape().page_bytes()); };
  return fail(ErrorCode::out_of_memory, "keys and values take {} more; of the budget of {}, {} is free", bytes(n_pages),
              format_bytes(options.kv_budget), bytes(kv_cache->n_free()));
}

std::span<const float> Engine::Parts::compute(std::span<const Extension> extensions) {
  std::vector<BatchPart> batch;
  for (const Extension& extension : extensions)
    batch.push_back({.tokens = extension.tokens, .kv = &extension.session->kv, .kind = extension.kind});
  Exec exec{*pool, *ops};
  const auto logits = model->forward(exec, batch);
  for (const Extension& extension : extensions) extension.session->append(extension.tokens, extension.kind);
  return logits;
}

Result<std::span<const float>> Engine::extend(Session& session, std::span<const TokenId> tokens, RowKind kind) {
  OGAS_TRY(parts_->check_extension({&session, tokens, kind}));
  OGAS_TRY(parts_->check_room(session.kv, tokens.size()));
  std::span<const float> logits;
  for (size_t begin = 0; begin < tokens.size(); begin += parts_->options.n_batch) {
    const Extension part{&session,
                         tokens.subspan(begin, std::min<size_t>(parts_->options.n_batch, tokens.size() - begin)), kind};
    logits = parts_->compute({&part, 1});
  }
  return logits;
}

Result<std::span<const float>> Engine::extend(std::span<const Extension> extensions) {
  std::vector<const Session*> sessions;
  size_t n_pages = 0;
  for (const Extension& extension : extensions) {
    OGAS_TRY(parts_->check_extension(extension));
    n_pages += extension.session->kv.pages_to_extend(extension.tokens.size());
    sessions.push_back(extension.session);
  }
  std::ranges::sort(sessions);
  if (std::ranges::adjacent_find(sessions) != sessions.end())
    return fail(ErrorCode::usage, "a session is to be extended twice in one pass");
  if (extensions.empty()) return std::span<const float>();
  OGAS_TRY(parts_->check_pages(n_pages));
  return parts_->compute(extensions);
}

Result<> Engine::Parts::compute_rows(size_t n_rows, uint32_t batch, const ComputeRows& compute, const TakeRow& row) {
  const size_t n_vocab = model->facts().n_vocab;
  const size_t n_batch = batch > 0 ? batch : options.n_batch;
  Session session(*kv_cache);
  OGAS_TRY(check_room(session.kv, n_rows));
  for (size_t begin = 0; begin < n_rows; begin += n_batch) {
    const size_t n = std::min(n_batch, n_rows - begin);
    const auto logits = compute(begin, n, session.kv);
    for (size_t idx = 0; idx < n; ++idx) row(begin + idx, logits.subspan(idx * n_vocab, n_vocab));
  }
  return {};
}

Result<> Engine::logits(std::span<const TokenId> tokens, uint32_t batch, const TakeRow& row, RowKind kind) {
  OGAS_TRY(parts_->check_tokens(tokens));
  const auto compute = [&](size_t begin, size_t n, KvSequence& kv) {
    return parts_->forward({.tokens = tokens.subspan(begin, n), .kv = &kv, .kind = kind, .logits = Logits::all});
  };
  return parts_->compute_rows(tokens.size(), batch, compute, row);
}

Result<> Engine::mtp_logits(std::span<const TokenId> tokens, uint32_t batch, const TakeRow& row) {
  OGAS_TRY(parts_->check_tokens(tokens));
  if (facts().n_mtp == 0) return fail(ErrorCode::usage, "the model has no head for the token after the next");
  if (tokens.size() < 2)
    return fail(ErrorCode::usage, "the head for the token after the next needs two tokens or more");
  const auto compute = [&](size_t begin, size_t n, KvSequence& kv) {
    parts_->forward({.tokens = tokens.subspan(begin, n), .kv = &kv, .logits = Logits::none});
    Exec exec{*parts_->pool, *parts_->ops};
    return parts_->model->forward_mtp(exec, tokens.subspan(begin + 1, n));
  };
  return parts_->compute_rows(tokens.size() - 1, batch, compute, row);
}

}  // namespace ogas
