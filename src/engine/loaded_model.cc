#include "engine/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "arch/registry.h"
#include "base/check.h"
#include "base/disk_probe.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/version.h"
#include "engine/expert_counts.h"
#include "engine/memory_plan.h"
#include "files/template_reader.h"
#include "files/vocab_reader.h"
#include "kernels/dispatch.h"
#include "nn/moe.h"
#include "sampling/recommended_sampling.h"

namespace ogas {
namespace {

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

// How far a model is loaded, as those who wait for it are told. Errors: cancelled.
Result<> report(const LoadProgress& progress, double share) {
  if (!progress || progress(share)) return {};
  return fail(ErrorCode::cancelled, "loading was cancelled");
}

// A part of it, as shares of the whole.
LoadProgress part_of(const LoadProgress& progress, double begin, double end) {
  if (!progress) return {};
  return [=, &progress](double share) { return progress(begin + share * (end - begin)); };
}

// Brings the weights into memory piece by piece, so that progress can be shown and a failing disk is an error. What
// becomes panels is read by those who pack it, and let go of again. So is the rest of the file: a vocabulary has been
// copied, and its bytes would only take up room.
Result<> read_weights(const TensorFile& file, ThreadPool& pool, PackedWeights& packed, const ExpertStore* experts,
                      const LoadProgress& progress) {
  constexpr size_t kPiece = size_t{32} << 20;
  // Beside a store nothing is read from the map.
  const std::vector<Bytes> unpacked = experts ? std::vector<Bytes>() : unpacked_tensors(file, packed);
  uint64_t done = 0, total = packed.n_stored_bytes();
  for (const Bytes part : unpacked) total += part.size();
  const auto advance = [&](uint64_t n_bytes) {
    done += n_bytes;
    return report(progress, static_cast<double>(done) / static_cast<double>(total));
  };
  const PackedWeights::Mapping mapping{.read = [&](Bytes part) { return file.shard_of(part).populate(part); },
                                       .release = [&](Bytes part) { file.shard_of(part).release(part); }};
  OGAS_TRY(packed.pack(pool, mapping, advance));
  for (const MappedFile& shard : file.shards()) shard.release(shard.bytes());
  for (const Bytes part : unpacked) {
    for (size_t begin = 0; begin < part.size(); begin += kPiece) {
      const Bytes piece = part.subspan(begin, std::min(kPiece, part.size() - begin));
      OGAS_TRY(file.shard_of(piece).populate(piece));
      OGAS_TRY(advance(piece.size()));
    }
  }
  return {};
}

// How often earlier runs took each expert; none where that is not known.
ExpertCounts counts_or_none(const std::filesystem::path& path, const ExpertStore& experts) {
  auto counts = read_expert_counts(path, experts.counts());
  if (counts) return *std::move(counts);
  spdlog::warn("{}; it is left aside", counts.error().message);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  return {};
}

// Those that were taken most, into memory.
Result<> fill_experts(ExpertStore& experts, const ExpertCounts& counts, const LoadProgress& progress) {
  return experts.fill(counts, [&](uint64_t done) {
    return report(progress, static_cast<double>(done) / static_cast<double>(experts.n_bytes()));
  });
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(const std::filesystem::path& path, const EngineOptions& options,
                                                       const LoadProgress& progress, const PlanReady& planned) {
  auto loaded = std::make_unique<LoadedModel>();
  const auto report_start = [&] { return report(progress, 0); };
  loaded->file = OGAS_TRY(TensorFile::open(path, report_start));
  OGAS_TRY(report_start());
  auto model = create_model(loaded->file, options.overrides());
  if (!model) return fail_within(model.error(), "{}", path.string());
  loaded->model = *std::move(model);
  const CpuKernels& kernels = loaded->kernels = kernels_for(*loaded->model, *OGAS_TRY(choose_kernels()));
  MemoryPlan plan = OGAS_TRY(plan_memory(*loaded->model, kernels, options));

  auto sampling = ogas::recommended_sampling(loaded->file);
  if (!sampling) return fail_within(sampling.error(), "{}", path.string());
  loaded->sampling = *sampling;
  loaded->pooling = ogas::recommended_pooling(loaded->file);
  OGAS_TRY(report_start());
  auto vocab = read_vocab(loaded->file);
  loaded->tokenizer = vocab ? Tokenizer::create(*std::move(vocab)) : std::unexpected(std::move(vocab).error());
  if (options.needs_text && !loaded->tokenizer) return fail_within(loaded->tokenizer.error(), "{}", path.string());
  loaded->read_chat_template(options.chat_template);
  loaded->find_ends();
  return_freed_memory();
  OGAS_TRY(report_start());
  // Where memory is short, what the tokenizer took counts.
  if (plan.leaves_experts_on_disk) {
    plan = OGAS_TRY(plan_memory(*loaded->model, kernels, options));
    loaded->memory_limit_.emplace(plan);
  }
  if (planned) planned(loaded->model->facts(), plan);
  loaded->options = std::move(plan.options);
  loaded->packed = plan.leaves_experts_on_disk
                       ? PackedWeights(kernels, linears_beside_experts(*loaded->model), PackedWeights::Others::copied)
                       : PackedWeights(kernels, loaded->model->linears());
  loaded->has_panels = plan.has_panels;
  loaded->pool = std::make_unique<ThreadPool>(loaded->options.n_threads);
  loaded->scratch = std::make_unique<Scratch>(loaded->pool->size());
  loaded->exec.emplace(*loaded->pool, loaded->kernels, *loaded->scratch);
  if (plan.leaves_experts_on_disk) OGAS_TRY(loaded->leave_experts_on_disk(plan.expert_bytes, plan.all_expert_bytes));
  const auto counts_path = OGAS_TRY(loaded->expert_counts_path());
  const ExpertCounts counts = counts_path.empty() ? ExpertCounts() : counts_or_none(counts_path, *loaded->experts);
  const double weight_bytes = static_cast<double>(loaded->packed.n_stored_bytes());
  const double expert_bytes = counts.empty() ? 0 : static_cast<double>(loaded->experts->n_bytes());
  const double weights_end = expert_bytes > 0 ? weight_bytes / (weight_bytes + expert_bytes) : 1;
  OGAS_TRY(read_weights(loaded->file, *loaded->pool, loaded->packed, loaded->experts.get(),
                        part_of(progress, 0, weights_end)));
  for (Embeddings* embeddings : loaded->model->embeddings()) {
    embeddings->read_from(loaded->file);
    if (embeddings->file()) loaded->embeddings_.push_back(embeddings);
  }
  if (loaded->experts) {
    // Memory is short, and nothing is read this way again.
    for (const MappedFile& shard : loaded->file.shards()) shard.drop_from_page_cache();
    if (!counts.empty()) OGAS_TRY(fill_experts(*loaded->experts, counts, part_of(progress, weights_end, 1)));
    // From now on the store knows all there is to know, and may write it down.
    loaded->expert_counts_file_ = counts_path;
  }
  OGAS_TRY(loaded->make_kv_manager());
  return loaded;
}

Result<> LoadedModel::leave_experts_on_disk(uint64_t budget, uint64_t all_bytes) {
  // Between two looks at what has been read a few experts are packed and computed.
  constexpr double kMinSeconds = 2e-3, kBytesASecond = 2e9;
  constexpr uint64_t kWorthMeasuring = uint64_t{256} << 20;  // less is read while the disk would be measured
  ExpertStoreOptions store{.budget = budget, .expert_prefetch = options.expert_prefetch, .mirrors = options.mirrors};
  const auto n_experts = static_cast<double>(model->moes().size() * model->facts().n_expert);
  const double seconds = std::max(kMinSeconds, static_cast<double>(all_bytes) / n_experts / kBytesASecond);
  if (all_bytes >= kWorthMeasuring)
    store.disk = reader_options(OGAS_TRY(measure_disk_curve(file.shards().front().path())), seconds);
  experts = OGAS_TRY(ExpertStore::create(file, model->moes(), *pool, kernels, store));
  return {};
}

void LoadedModel::read_chat_template(const std::string& given) {
  const auto sources = given.empty() ? read_chat_templates(file) : Result<NamedTemplates>({{"default", given}});
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

void LoadedModel::find_ends() {
  if (!tokenizer) return;
  std::vector<const ChatTemplate*> templates;
  for (const auto* one : {&chat_template, &tool_template})
    if (*one) templates.push_back(&**one);
  ends = AnswerEnds(**tokenizer, templates);
}

Result<> LoadedModel::check_tokens(std::span<const TokenId> tokens, std::string_view what) const {
  if (tokens.empty()) return fail(ErrorCode::usage, "{} is empty", what);
  if (tokens.size() > options.n_ctx)
    return fail(ErrorCode::usage, "{} has {} tokens, {} more than the context of {}", what, tokens.size(),
                tokens.size() - options.n_ctx, options.n_ctx);
  return check_vocabulary(tokens);
}

Result<> LoadedModel::check_vocabulary(std::span<const TokenId> tokens) const {
  const auto n_vocab = static_cast<TokenId>(model->facts().n_vocab);
  for (size_t idx = 0; idx < tokens.size(); ++idx)
    if (tokens[idx] < 0 || tokens[idx] >= n_vocab)
      return fail(ErrorCode::usage, "token {} at position {}: the vocabulary has {}", tokens[idx], idx, n_vocab);
  return {};
}

Result<> LoadedModel::check_item(const BatchItem& item) const {
  OGAS_TRY(check_tokens(item.tokens));
  const size_t n_held = item.session->tokens.size();
  if (item.tokens.size() <= options.n_ctx - n_held) return {};
  return fail(ErrorCode::usage, "{} tokens behind {}; the context has {}", item.tokens.size(), n_held, options.n_ctx);
}

Result<std::string> LoadedModel::identity_of_pages() const {
  return fmt::format("ogas {} {} {} {} {} {} {}{}", version(), commit(), kernels.name, kv->layout().describe(),
                     has_panels, options.n_expert_used, options.min_expert_weight, OGAS_TRY(identity()));
}

// By its description and samples of each tensor.
Result<std::string> LoadedModel::identity() const {
  std::string identity;
  std::array<std::byte, 256> sample;
  for (const auto& [name, tensor] : file.tensors()) {
    identity += fmt::format("\n{} {} {}", name, facts_of(tensor.format).name, tensor.data.size());
    const size_t n = std::min(tensor.data.size(), sample.size());
    if (n == 0) continue;
    for (const size_t at : {size_t{0}, (tensor.data.size() - n) / 2, tensor.data.size() - n}) {
      OGAS_TRY(file.shard_of(tensor.data).read(tensor.data.subspan(at, n), sample));
      identity.append(reinterpret_cast<const char*>(sample.data()), n);
    }
  }
  return identity;
}

Result<std::filesystem::path> LoadedModel::expert_counts_path() const {
  if (!experts || options.experts_folder.empty()) return {};
  return options.experts_folder / (PrefixKey::of_model(OGAS_TRY(identity())).hex() + ".json");
}

LoadedModel::~LoadedModel() {
  if (!experts || expert_counts_file_.empty()) return;
  if (const auto written = write_expert_counts(expert_counts_file_, experts->counts()); !written)
    spdlog::warn("{}", written.error().message);
}

Result<> LoadedModel::make_kv_manager() {
  const KvLayout layout = kv_layout(model->facts(), options);
  const bool reuses_generated =
      !model->facts().prompts_differ && (kernels.tile_rows == 0 || !has_panels) && kernels.attend_tile_rows == 0;
  kv = std::make_unique<KvManager>(layout, options.kv_budget, reuses_generated);
  if (layout.state_bytes() > 0) return {};
  PrefixKey key;  // in memory there is this model alone
  std::unique_ptr<PrefixStore> store;
  if (!options.prefix_folder.empty() && options.prefix_budget > 0) {
    key = PrefixKey::of_model(OGAS_TRY(identity_of_pages()));
    store = std::make_unique<PrefixStore>(options.prefix_folder, options.prefix_budget, key, layout.page_bytes());
  }
  // A token's attention over a page, as a share of its products with the weights.
  const ModelFacts& facts = model->facts();
  const double growth = 2.0 * facts.n_layer * facts.n_embd * KvLayout::kPagePositions /
                        std::max<double>(1, static_cast<double>(facts.n_params_active));
  kv->enable_prefix_cache(key, growth, std::move(store));
  return {};
}

Result<Pass> LoadedModel::forward(Batch batch) {
  if (experts) OGAS_TRY(experts->check_files());
  follow_memory_limit();
  for (const Embeddings* embeddings : embeddings_) OGAS_TRY(embeddings->file()->check_unchanged());
  return model->forward(*exec, batch);
}

// From so many rows on the output matrix is multiplied about as quickly as with more, and logits of the largest
// vocabularies take 40 MB.
void LoadedModel::for_logits_of(const Pass& pass, std::span<const uint32_t> rows, TakeLogits take) {
  constexpr size_t kRows = 64;
  const size_t n_vocab = model->facts().n_vocab;
  for (size_t begin = 0; begin < rows.size(); begin += kRows) {
    const auto some = rows.subspan(begin, std::min(kRows, rows.size() - begin));
    const auto logits = pass.logits_of(some);
    pool->parallel_for(some.size(),
                       [&](size_t idx, unsigned) { take(begin + idx, logits.subspan(idx * n_vocab, n_vocab)); });
  }
}

Result<Pass> LoadedModel::compute(std::span<const BatchItem> items) {
  batch_.clear();
  for (const BatchItem& item : items)
    batch_.push_back({.tokens = item.tokens, .kv = &item.session->kv, .kind = item.kind, .n_logits = item.n_logits});
  auto pass = forward(batch_);
  for (const BatchItem& item : items) {
    Session& session = *item.session;
    if (pass)
      session.append(item.tokens, item.kind);
    else
      session.truncate(session.kv.rewindable_to(session.tokens.size()));
  }
  return pass;
}

Result<> LoadedModel::compute_rows(size_t n_rows, uint32_t batch, const ComputeRows& compute_some,
                                   const Engine::TakeRow& row) {
  const size_t n_vocab = model->facts().n_vocab;
  const size_t n_batch = batch > 0 ? batch : options.n_batch;
  Session session(kv->cache());
  OGAS_TRY(kv->reserve_positions(session.kv, n_rows));
  for (size_t begin = 0; begin < n_rows; begin += n_batch) {
    const size_t n = std::min(n_batch, n_rows - begin);
    const auto logits = OGAS_TRY(compute_some(begin, n, session.kv));
    for (size_t idx = 0; idx < n; ++idx) row(begin + idx, logits.subspan(idx * n_vocab, n_vocab));
  }
  return {};
}

}  // namespace ogas
