#include "engine/model_loader.h"

#include <algorithm>
#include <utility>

#include "arch/registry.h"
#include "base/disk_probe.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/expert_counts.h"
#include "engine/memory_plan.h"
#include "engine/model_identity.h"
#include "engine/model_kernels.h"
#include "engine/prefix_key.h"
#include "kernels/dispatch.h"
#include "nn/moe.h"

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

// How often earlier runs used each expert; empty where that is not known.
ExpertCounts counts_or_none(const std::filesystem::path& path, const ExpertStore& experts) {
  auto counts = read_expert_counts(path, experts.counts());
  if (counts) return *std::move(counts);
  spdlog::warn("{}; it is ignored", counts.error().message);
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  return {};
}

// The steps of load_model(), in this order.
class ModelLoader {
 public:
  ModelLoader(const std::filesystem::path& path, const EngineOptions& options, const LoadProgress& progress,
              const PlanReady& planned)
      : path_(path), options_(options), progress_(progress), planned_(planned) {}

  Result<std::unique_ptr<LoadedModel>> load() {
    OGAS_TRY(open_file());
    OGAS_TRY(make_model());
    OGAS_TRY(plan());
    OGAS_TRY(read_text());
    OGAS_TRY(settle_plan());
    start_threads();
    OGAS_TRY(place_weights());
    OGAS_TRY(find_expert_counts());
    OGAS_TRY(read_weights());
    find_embeddings();
    OGAS_TRY(fill_experts());
    return std::move(loaded_);
  }

 private:
  Result<> open_file();
  // Binds the file's tensors and chooses kernels.
  Result<> make_model();
  Result<> plan();
  Result<> read_text();
  // Says what is planned. Where memory is short, what the tokenizer took counts.
  Result<> settle_plan();
  void start_threads();
  // Decides which bytes of memory each matrix will have, and which experts stay on disk.
  Result<> place_weights();
  Result<> leave_experts_on_disk();
  Result<> find_expert_counts();
  // Packs what has panels, and brings the rest into memory.
  Result<> read_weights();
  Result<> read_unpacked(std::span<const Bytes> parts);
  void find_embeddings();
  // The experts that were used most, into memory.
  Result<> fill_experts();

  // How much of all that is read before the first token has been read. Errors: cancelled.
  Result<> advance(uint64_t n_bytes) {
    n_done_ += n_bytes;
    return report(static_cast<double>(n_done_) / static_cast<double>(std::max<uint64_t>(n_total_, 1)));
  }
  Result<> report(double share) const {
    if (!progress_ || progress_(share)) return {};
    return fail(ErrorCode::cancelled, "loading was cancelled");
  }
  template <class Value>
  Result<Value> naming_path(Result<Value> result) const {
    if (!result) return fail_within(result.error(), "{}", path_.string());
    return result;
  }

  const std::filesystem::path& path_;
  const EngineOptions& options_;
  const LoadProgress& progress_;
  const PlanReady& planned_;

  std::unique_ptr<LoadedModel> loaded_ = std::make_unique<LoadedModel>();
  MemoryPlan plan_;
  std::filesystem::path counts_file_;  // of counts_; empty: none
  ExpertCounts counts_;                // how often earlier runs used each expert; empty: not known
  std::vector<Bytes> unpacked_;        // tensors that stay mapped
  uint64_t n_done_ = 0, n_total_ = 0;
};

Result<> ModelLoader::open_file() {
  const auto report_start = [&] { return report(0); };
  loaded_->file = OGAS_TRY(TensorFile::open(path_, report_start));
  return report(0);
}

Result<> ModelLoader::make_model() {
  loaded_->model = OGAS_TRY(naming_path(create_model(loaded_->file, options_.overrides())));
  loaded_->kernels = kernels_for(*loaded_->model, *OGAS_TRY(choose_kernels()));
  return {};
}

Result<> ModelLoader::plan() {
  plan_ = OGAS_TRY(plan_memory(*loaded_->model, loaded_->kernels, options_));
  return {};
}

Result<> ModelLoader::read_text() {
  OGAS_TRY(report(0));
  loaded_->text = OGAS_TRY(naming_path(ModelText::read(loaded_->file, options_.chat_template)));
  if (options_.needs_text) OGAS_TRY(naming_path(loaded_->text.tokenizer_or_error()));
  return_freed_memory();
  return report(0);
}

Result<> ModelLoader::settle_plan() {
  if (plan_.leaves_experts_on_disk) {
    OGAS_TRY(plan());
    loaded_->memory_limit.emplace(plan_);
  }
  if (planned_) planned_(loaded_->facts(), plan_);
  loaded_->options = plan_.options;
  loaded_->has_panels = plan_.has_panels;
  return {};
}

void ModelLoader::start_threads() {
  LoadedModel& l = *loaded_;
  l.pool = std::make_unique<ThreadPool>(l.options.n_threads);
  l.scratch = std::make_unique<Scratch>(l.pool->size());
  l.exec.emplace(*l.pool, l.kernels, *l.scratch);
}

Result<> ModelLoader::place_weights() {
  LoadedModel& l = *loaded_;
  if (!plan_.leaves_experts_on_disk) {
    l.packed = PackedWeights(l.kernels, l.model->linears());
    unpacked_ = unpacked_tensors(l.file, l.packed);
    return {};
  }
  l.packed = PackedWeights(l.kernels, linears_without_experts(*l.model), PackedWeights::Others::copied);
  return leave_experts_on_disk();
}

Result<> ModelLoader::leave_experts_on_disk() {
  // Between two looks at what has been read a few experts are packed and computed.
  constexpr double kMinSeconds = 2e-3, kBytesASecond = 2e9;
  constexpr uint64_t kWorthMeasuring = uint64_t{256} << 20;  // less is read while the disk would be measured
  LoadedModel& l = *loaded_;
  ExpertStoreOptions store{
      .budget = plan_.expert_bytes, .expert_prefetch = options_.expert_prefetch, .mirrors = options_.mirrors};
  const auto n_experts = static_cast<double>(l.model->moes().size() * l.facts().n_expert);
  const double expert_bytes = static_cast<double>(plan_.all_expert_bytes) / n_experts;
  if (plan_.all_expert_bytes >= kWorthMeasuring)
    store.disk = reader_options(OGAS_TRY(measure_disk_curve(l.file.shards().front().path())),
                                std::max(kMinSeconds, expert_bytes / kBytesASecond));
  l.experts = OGAS_TRY(ExpertStore::create(l.file, l.model->moes(), *l.pool, l.kernels, store));
  return {};
}

Result<> ModelLoader::find_expert_counts() {
  if (!loaded_->experts || options_.experts_folder.empty()) return {};
  const PrefixKey key = PrefixKey::of_model(OGAS_TRY(identity_of(loaded_->file)));
  counts_file_ = options_.experts_folder / (key.hex() + ".json");
  counts_ = counts_or_none(counts_file_, *loaded_->experts);
  return {};
}

// What becomes panels is read by those who pack it, and its pages are released again. So is the rest of the file: a
// vocabulary has been copied, and its bytes would only take up memory.
Result<> ModelLoader::read_weights() {
  const TensorFile& file = loaded_->file;
  n_total_ = loaded_->packed.n_stored_bytes() + (counts_.empty() ? 0 : loaded_->experts->n_bytes());
  for (const Bytes part : unpacked_) n_total_ += part.size();
  const PackedWeights::Mapping mapping{.read = [&](Bytes part) { return file.shard_of(part).populate(part); },
                                       .release = [&](Bytes part) { file.shard_of(part).release(part); }};
  OGAS_TRY(loaded_->packed.pack(*loaded_->pool, mapping, [&](uint64_t n_bytes) { return advance(n_bytes); }));
  for (const MappedFile& shard : file.shards()) shard.release(shard.bytes());
  return read_unpacked(unpacked_);
}

// Piece by piece, so that progress can be shown and a failing disk is an error.
Result<> ModelLoader::read_unpacked(std::span<const Bytes> parts) {
  constexpr size_t kPiece = size_t{32} << 20;
  for (const Bytes part : parts) {
    for (size_t begin = 0; begin < part.size(); begin += kPiece) {
      const Bytes piece = part.subspan(begin, std::min(kPiece, part.size() - begin));
      OGAS_TRY(loaded_->file.shard_of(piece).populate(piece));
      OGAS_TRY(advance(piece.size()));
    }
  }
  return {};
}

void ModelLoader::find_embeddings() {
  for (Embeddings* embeddings : loaded_->model->embeddings()) {
    embeddings->read_from(loaded_->file);
    if (embeddings->file()) loaded_->embeddings_on_disk.push_back(embeddings);
  }
}

Result<> ModelLoader::fill_experts() {
  if (!loaded_->experts) return {};
  // Memory is short, and nothing is read through the map again.
  for (const MappedFile& shard : loaded_->file.shards()) shard.drop_from_page_cache();
  if (!counts_.empty()) {
    const uint64_t n_before = n_done_;
    OGAS_TRY(loaded_->experts->fill(counts_, [&](uint64_t n_bytes) { return advance(n_before + n_bytes - n_done_); }));
  }
  // The store has all counts of earlier runs, and may write them down from here on.
  loaded_->expert_counts_file = counts_file_;
  return {};
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> load_model(const std::filesystem::path& path, const EngineOptions& options,
                                                const LoadProgress& progress, const PlanReady& planned) {
  return ModelLoader(path, options, progress, planned).load();
}

}  // namespace ogas
