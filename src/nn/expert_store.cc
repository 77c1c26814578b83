#include "nn/expert_store.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "nn/moe.h"
#include "ops/matrix_pieces.h"

namespace ogas {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

std::array<const Linear*, 3> matrices_of(const Moe& moe, uint32_t expert) {
  return {&moe.ffn_gate_exps[expert], &moe.ffn_up_exps[expert], &moe.ffn_down_exps[expert]};
}

std::array<Linear*, 3> matrices_of(ExpertMatrices& matrices) { return {&matrices.gate, &matrices.up, &matrices.down}; }

// Experts whose reads are under way at a time, and experts that pass through memory without being kept: the fewest that
// work, and the most that are of use. Beyond the fewest both take this share of the budget, at most.
constexpr size_t kMinStaged = 2, kMaxStaged = 24, kMinTransient = 1, kMaxTransient = 8;
constexpr uint64_t kShareOfBuffers = 4;
// Of what was read for a layer that did not take it.
constexpr uint32_t kNoLayer = UINT32_MAX;

// Experts of a layer that a token goes through, at most.
size_t max_used(std::span<Moe* const> layers) {
  size_t n_used = 0;
  for (const Moe* moe : layers) n_used = std::max<size_t>(n_used, moe->rules.n_used);
  return n_used;
}

// What a layer's experts would take.
struct Demand {
  size_t slot_bytes;
  uint32_t n_expert;
};

// Slots for each layer: the same share of its experts, and what is left over one by one.
std::vector<uint32_t> share_slots(std::span<const Demand> layers, uint64_t budget) {
  double all = 0;
  for (const Demand& layer : layers) all += static_cast<double>(layer.slot_bytes) * layer.n_expert;
  const double share = std::min(1.0, static_cast<double>(budget) / all);
  std::vector<uint32_t> n_slots;
  for (const Demand& layer : layers) {
    n_slots.push_back(static_cast<uint32_t>(share * layer.n_expert));
    budget -= std::min<uint64_t>(budget, n_slots.back() * layer.slot_bytes);
  }
  for (size_t idx = 0; idx < layers.size(); ++idx) {
    if (n_slots[idx] == layers[idx].n_expert || layers[idx].slot_bytes > budget) continue;
    ++n_slots[idx];
    budget -= layers[idx].slot_bytes;
  }
  return n_slots;
}

size_t n_staged_for(size_t n_used) { return std::clamp(2 * n_used, kMinStaged, kMaxStaged); }
size_t n_transient_for(size_t n_used) { return std::clamp(n_used, kMinTransient, kMaxTransient); }

}  // namespace

ExpertStore::Shape ExpertStore::shape_of(const Moe& moe, const CpuKernels& kernels) {
  Shape shape{};
  for (size_t part = 0; part < kParts; ++part) {
    const Linear& linear = *matrices_of(moe, 0)[part];
    const size_t stored = linear.stored().size(), packed = linear.panel_bytes(kernels);
    const size_t n_scales = linear.stored_scales().size();
    Part& made = shape.parts[part];
    // Whole blocks, wherever in a block it begins.
    const auto stage = [&](size_t n_bytes) {
      ++shape.n_reads;
      return std::exchange(shape.staged_bytes,
                           shape.staged_bytes + round_up(n_bytes, DirectReader::kBlock) + DirectReader::kBlock);
    };
    const auto slot = [&](size_t n_bytes) {
      return std::exchange(shape.slot_bytes, shape.slot_bytes + round_up(n_bytes, kPanelAlignment));
    };
    made.is_packed = packed > 0;
    made.offset = slot(packed > 0 ? packed : stored);
    made.staged_at = stage(stored);
    made.has_scales = n_scales > 0;
    if (!made.has_scales) continue;
    made.scales_offset = slot(n_scales);
    made.scales_staged_at = stage(n_scales);
  }
  return shape;
}

ExpertStore::Bytes ExpertStore::bytes_for(std::span<Moe* const> layers, const CpuKernels& kernels) {
  const Shape largest = largest_of(layers, kernels);
  const size_t n_used = max_used(layers);
  Bytes bytes{};
  for (const Moe* moe : layers) bytes.slots += shape_of(*moe, kernels).slot_bytes * moe->rules.n_expert;
  const auto buffers = [&](size_t n_staged, size_t n_passing) {
    return n_staged * largest.staged_bytes + n_passing * largest.slot_bytes;
  };
  bytes.min = buffers(kMinStaged, kMinTransient);
  bytes.all = bytes.slots + buffers(n_staged_for(n_used), n_transient_for(n_used));
  return bytes;
}

ExpertStore::Shape ExpertStore::largest_of(std::span<Moe* const> layers, const CpuKernels& kernels) {
  Shape largest{};
  for (const Moe* moe : layers) {
    const Shape shape = shape_of(*moe, kernels);
    largest.slot_bytes = std::max(largest.slot_bytes, shape.slot_bytes);
    largest.staged_bytes = std::max(largest.staged_bytes, shape.staged_bytes);
  }
  return largest;
}

void ExpertStore::make_buffers(const Shape& largest, size_t n_used, uint64_t budget) {
  const uint64_t share = budget / kShareOfBuffers / 2;
  const size_t n_staged = std::clamp<size_t>(share / largest.staged_bytes, kMinStaged, n_staged_for(n_used));
  // The fewest of the former can be nearly all of a small budget.
  const uint64_t left = std::min(share, budget - n_staged * largest.staged_bytes);
  const size_t n_passing = std::clamp<size_t>(left / largest.slot_bytes, kMinTransient, n_transient_for(n_used));
  staging_memory_ = PageBuffer(n_staged * largest.staged_bytes);
  transient_memory_ = PageBuffer(n_passing * largest.slot_bytes);
  for (size_t idx = 0; idx < n_staged; ++idx)
    staging_.push_back({.buffer = staging_memory_.data() + idx * largest.staged_bytes});
  for (size_t idx = 0; idx < n_passing; ++idx)
    transient_.push_back({.memory = transient_memory_.data() + idx * largest.slot_bytes});
  reader_->register_memory({staging_memory_.data(), staging_memory_.size()});
  n_bytes_ = staging_memory_.size() + transient_memory_.size();
}

Result<std::unique_ptr<ExpertStore>> ExpertStore::create(const TensorFile& file, std::span<Moe* const> layers,
                                                         ThreadPool& pool, const CpuKernels& kernels,
                                                         const ExpertStoreOptions& options) {
  const Bytes bytes = bytes_for(layers, kernels);
  if (options.budget < bytes.min)
    return fail(ErrorCode::out_of_memory, "experts that are read from disk need {} at least; {} is left for them",
                format_bytes(bytes.min), format_bytes(options.budget));
  std::unique_ptr<ExpertStore> store(
      new ExpertStore(pool, kernels, OGAS_TRY(DirectReader::create(options.disk)), options.expert_prefetch));
  for (const MappedFile& shard : file.shards()) {
    std::vector<std::filesystem::path> copies;
    for (const std::filesystem::path& folder : options.mirrors) copies.push_back(folder / shard.path().filename());
    OGAS_TRY(store->reader_->open(shard.path(), copies));
  }
  store->n_files_ = static_cast<uint32_t>(file.shards().size());

  store->make_buffers(largest_of(layers, kernels), max_used(layers), options.budget);

  std::vector<Demand> demands;
  for (const Moe* moe : layers) demands.push_back({shape_of(*moe, kernels).slot_bytes, moe->rules.n_expert});
  const auto n_slots = share_slots(demands, options.budget - store->n_bytes_);
  for (size_t idx = 0; idx < layers.size(); ++idx) store->add_layer(file, *layers[idx], n_slots[idx]);
  for (size_t idx = 0; idx < layers.size(); ++idx) {
    layers[idx]->source = store.get();
    layers[idx]->source_layer = static_cast<uint32_t>(idx);
  }
  return store;
}

ExpertStore::~ExpertStore() = default;

void ExpertStore::add_layer(const TensorFile& file, const Moe& moe, uint32_t n_slots) {
  const Shape shape = shape_of(moe, kernels_);
  Layer layer{
      .moe = &moe,
      .shape = shape,
      .cache = ExpertCache(moe.rules.n_expert, n_slots, ExpertCache::half_life(moe.rules.n_expert, moe.rules.n_used)),
      .memory = PageBuffer(n_slots * shape.slot_bytes),
      .matrices = std::vector<ExpertMatrices>(n_slots),
      .stored = std::vector<std::array<StoredPart, kParts>>(moe.rules.n_expert)};
  layer.memory.prefer_huge_pages();
  n_bytes_ += layer.memory.size();
  const auto location_of = [&](std::span<const std::byte> bytes) -> Stored {
    const MappedFile& shard = file.shard_of(bytes);
    return {.file = static_cast<uint32_t>(&shard - file.shards().data()),
            .offset = static_cast<uint64_t>(bytes.data() - shard.bytes().data()),
            .n_bytes = bytes.size()};
  };
  for (uint32_t expert = 0; expert < moe.rules.n_expert; ++expert) {
    for (size_t part = 0; part < kParts; ++part) {
      const Linear& linear = *matrices_of(moe, expert)[part];
      StoredPart& stored = layer.stored[expert][part];
      stored.rows = location_of(linear.stored());
      if (shape.parts[part].has_scales) stored.scales = location_of(linear.stored_scales());
    }
  }
  layers_.push_back(std::move(layer));
}

void ExpertStore::set_budget(uint64_t budget) {
  OGAS_CHECK(arrived_.empty() && n_coming_ == 0, "layer {} is not done", layer_);
  const uint64_t buffers = staging_memory_.size() + transient_memory_.size();
  std::vector<Demand> demands;
  for (const Layer& layer : layers_)
    demands.push_back({layer.shape.slot_bytes, static_cast<uint32_t>(layer.stored.size())});
  const auto n_slots = share_slots(demands, budget > buffers ? budget - buffers : 0);
  n_bytes_ = buffers;
  for (size_t idx = 0; idx < layers_.size(); ++idx) {
    Layer& layer = layers_[idx];
    resize(layer, static_cast<uint32_t>(std::min<size_t>(n_slots[idx], layer.memory.size() / layer.shape.slot_bytes)));
    n_bytes_ += layer.cache.n_slots() * layer.shape.slot_bytes;
  }
}

void ExpertStore::resize(Layer& layer, uint32_t n_slots) {
  const auto slot = [&](uint32_t idx) { return layer.memory.data() + idx * layer.shape.slot_bytes; };
  for (const auto [expert, from, to] : layer.cache.resize(n_slots)) {
    std::memcpy(slot(to), slot(from), layer.shape.slot_bytes);
    bind(layer, expert, slot(to), layer.matrices[to]);
  }
  layer.matrices.resize(n_slots);
  layer.memory.release_from(n_slots * layer.shape.slot_bytes);
}

// An expert's matrices as they lie in a slot.
void ExpertStore::bind(const Layer& layer, uint32_t expert, std::byte* memory, ExpertMatrices& matrices) {
  for (size_t part = 0; part < kParts; ++part) {
    const Part& shape = layer.shape.parts[part];
    const Linear& mapped = *matrices_of(*layer.moe, expert)[part];
    Linear& there = *matrices_of(matrices)[part];
    std::byte* scales = shape.has_scales ? memory + shape.scales_offset : nullptr;
    there = shape.is_packed ? mapped : mapped.at(memory + shape.offset, scales);
    if (shape.is_packed) there.use_panels(memory + shape.offset);
  }
}

void ExpertStore::begin(uint32_t layer) {
  OGAS_CHECK(arrived_.empty() && n_coming_ == 0, "layer {} is not done", layer_);
  layer_ = layer;
  layers_[layer].cache.release_all();
  missing_.clear();
  ready_.clear();
  n_submitted_ = n_transient_ = 0;
}

std::span<const uint32_t> ExpertStore::start(uint32_t layer, std::span<const ExpertCache::Use> uses,
                                             uint32_t n_tokens) {
  constexpr double kWeightOfLast = 1.0 / 16;
  if (const auto all_read = std::exchange(all_read_, std::nullopt); all_read && layer == layer_ + 1)
    seconds_between_ += kWeightOfLast * (seconds_since(*all_read) - seconds_between_);
  begin(layer);
  ExpertCache& cache = layers_[layer].cache;
  cache.count(uses, n_tokens);
  for (const auto& use : uses) {
    const bool is_there = cache.slot_of(use.expert).has_value();
    if (is_there) cache.hold(use.expert);
    (is_there ? ready_ : missing_).push_back(use.expert);
  }
  // The first that come take the free slots.
  std::ranges::stable_sort(missing_, [&](uint32_t a, uint32_t b) { return cache.count_of(a) > cache.count_of(b); });
  if (layer == 0) stats_.n_tokens += n_tokens;
  stats_.n_uses += uses.size();
  stats_.n_hits += ready_.size();
  claim_prefetched();
  submit();
  note_all_read();
  return ready_;
}

// What was expected of this layer is settled now: right and being read already, or wrong.
void ExpertStore::claim_prefetched() {
  constexpr double kRecent = 512;
  for (const uint32_t expert : predicted_) {
    ++n_predicted_;
    n_predicted_right_ += std::ranges::find(missing_, expert) != missing_.end() ? 1 : 0;
  }
  if (n_predicted_ > kRecent) {
    n_predicted_ /= 2;
    n_predicted_right_ /= 2;
  }
  predicted_.clear();
  n_to_prefetch_ = n_prefetched_ = 0;
  for (size_t idx = 0; idx < staging_.size(); ++idx) {
    Staged& staged = staging_[idx];
    if (!staged.is_taken) continue;
    const auto found = staged.layer == layer_ ? std::ranges::find(missing_, staged.expert) : missing_.end();
    if (found == missing_.end() || (staged.n_reads_left == 0 && staged.error)) {
      if (staged.n_reads_left == 0)
        staged.is_taken = false;
      else
        staged.layer = kNoLayer;  // free when it has been read
      continue;
    }
    missing_.erase(found);
    staged.is_prefetch = false;
    ++stats_.n_prefetch_hits;
    if (staged.n_reads_left == 0)
      arrived_.push_back(idx);
    else
      ++n_coming_;
  }
}

void ExpertStore::read_into(size_t staged_idx, uint32_t layer, uint32_t expert, bool is_prefetch) {
  Staged& staged = staging_[staged_idx];
  staged = {.buffer = staged.buffer,
            .is_taken = true,
            .is_prefetch = is_prefetch,
            .layer = layer,
            .expert = expert,
            .n_reads_left = layers_[layer].shape.n_reads};
  std::array<DirectReader::Read, 2 * kParts> reads;
  size_t n_reads = 0;
  const auto read = [&](const Stored& stored, size_t staged_at) {
    reads[n_reads++] = {.file = stored.file,
                        .offset = stored.offset,
                        .n_bytes = stored.n_bytes,
                        .buffer = staged.buffer + staged_at,
                        .tag = staged_idx};
  };
  for (size_t part = 0; part < kParts; ++part) {
    const Part& shape = layers_[layer].shape.parts[part];
    const StoredPart& stored = layers_[layer].stored[expert][part];
    read(stored.rows, shape.staged_at);
    if (shape.has_scales) read(stored.scales, shape.scales_staged_at);
  }
  reader_->submit(std::span(reads).first(n_reads));
}

// Asks for as many of the missing as there are buffers, and then of those expected of the next layer.
void ExpertStore::submit() {
  if (error_) {  // what is computed is of no use any more
    n_submitted_ = missing_.size();
    n_to_prefetch_ = 0;
  }
  for (size_t idx = 0; idx < staging_.size(); ++idx) {
    if (staging_[idx].is_taken) continue;
    if (n_submitted_ < missing_.size()) {
      ++n_coming_;
      read_into(idx, layer_, missing_[n_submitted_++], /*is_prefetch=*/false);
    } else if (n_prefetched_ < n_to_prefetch_) {
      ++stats_.n_prefetched;
      read_into(idx, layer_ + 1, predicted_[n_prefetched_++], /*is_prefetch=*/true);
    } else {
      return;
    }
  }
}

const Moe* ExpertStore::next_layer() const {
  if (expert_prefetch_ == ExpertPrefetch::off || layer_ + 1 >= layers_.size()) return nullptr;
  return layers_[layer_ + 1].moe;
}

void ExpertStore::predict(std::span<const uint32_t> experts) {
  const ExpertCache& cache = layers_[layer_ + 1].cache;
  predicted_.clear();
  for (const uint32_t expert : experts)
    if (!cache.slot_of(expert)) predicted_.push_back(expert);
  n_prefetched_ = 0;
  n_to_prefetch_ = std::min(predicted_.size(), n_worth_prefetching());
  submit();
}

// Where predictions are nearly always right, all of them; where they mostly are, as many as the disk has time for
// before the next layer says itself what it takes, since more would be in the way of that.
size_t ExpertStore::n_worth_prefetching() const {
  constexpr double kMinPredicted = 64, kMinRight = 0.6, kNearlyAlways = 0.9;
  if (expert_prefetch_ == ExpertPrefetch::on) return staging_.size();
  if (n_predicted_ < kMinPredicted || n_predicted_right_ < kMinRight * n_predicted_) return 0;
  if (n_predicted_right_ > kNearlyAlways * n_predicted_) return staging_.size();
  const DirectReader::Stats disk = reader_->stats();
  const double rate = static_cast<double>(disk.n_bytes) / std::max(disk.busy_seconds, 1e-3);
  const auto n_bytes = static_cast<double>(layers_[layer_ + 1].shape.staged_bytes);
  return static_cast<size_t>(std::ceil(seconds_between_ * rate / n_bytes));
}

void ExpertStore::complete(DirectReader::Done done) {
  Staged& staged = staging_[done.tag];
  if (!done.result && !staged.error) staged.error = std::move(done.result).error();
  if (--staged.n_reads_left > 0) return;
  if (!staged.is_prefetch) {
    if (staged.error && !error_) error_ = staged.error;
    arrived_.push_back(done.tag);
    --n_coming_;
    note_all_read();
  } else if (staged.layer == kNoLayer) {
    staged.is_taken = false;
    submit();
  }
}

// From now on the disk has nothing to do for this layer.
void ExpertStore::note_all_read() {
  if (n_coming_ == 0 && n_submitted_ == missing_.size()) all_read_ = Clock::now();
}

// Takes what has been read, and waits for it where nothing has.
void ExpertStore::poll_completions() {
  while (auto done = reader_->poll()) complete(*std::move(done));
  if (!arrived_.empty()) return;
  const auto start = Clock::now();
  while (arrived_.empty()) complete(reader_->wait());
  stats_.wait_seconds += seconds_since(start);
}

Result<std::span<const uint32_t>> ExpertStore::next() {
  n_transient_ = 0;
  while (!arrived_.empty() || n_coming_ > 0 || n_submitted_ < missing_.size()) {
    poll_completions();
    if (const auto some = commit(); !some.empty()) return some;
  }
  if (!error_) return std::span<const uint32_t>();
  Error error = *std::exchange(error_, std::nullopt);
  return std::unexpected(std::move(error));
}

// Gives slots to those that have arrived, as many as there are, and makes panels of them there.
std::span<const uint32_t> ExpertStore::commit() {
  Layer& layer = layers_[layer_];
  ready_.clear();
  packings_.clear();
  size_t n_settled = 0;
  for (; n_settled < arrived_.size() && n_transient_ < transient_.size(); ++n_settled) {
    Staged& staged = staging_[arrived_[n_settled]];
    if (error_) continue;  // whichever read failed
    if (const auto slot = layer.cache.admit(staged.expert)) {
      layer.cache.hold(staged.expert);
      packings_.push_back({&staged, layer.memory.data() + *slot * layer.shape.slot_bytes, &layer.matrices[*slot]});
    } else {
      Transient& passing = transient_[n_transient_++];
      passing.expert = staged.expert;
      packings_.push_back({&staged, passing.memory, &passing.matrices});
    }
    ready_.push_back(staged.expert);
  }
  pack(packings_);
  for (size_t idx = 0; idx < n_settled; ++idx) staging_[arrived_[idx]].is_taken = false;
  arrived_.erase(arrived_.begin(), arrived_.begin() + static_cast<ptrdiff_t>(n_settled));
  submit();
  return ready_;
}

void ExpertStore::pack(std::span<const Packing> packings) {
  constexpr size_t kPieceBytes = size_t{1} << 19;
  if (packings.empty()) return;
  const auto start = Clock::now();
  const Layer& layer = layers_[layer_];
  pieces_.clear();
  for (const Packing& packing : packings) {
    bind(layer, packing.from->expert, packing.to, *packing.matrices);
    for (size_t part = 0; part < kParts; ++part) {
      const Linear& mapped = *matrices_of(*layer.moe, packing.from->expert)[part];
      const size_t n_pieces = MatrixPieces(kernels_, mapped, kPieceBytes).size();
      for (size_t idx = 0; idx < n_pieces; ++idx) pieces_.push_back({&packing, part, idx});
    }
  }
  pool_.parallel_for(pieces_.size(), [&](size_t piece_idx, unsigned) {
    const auto [packing, part, idx] = pieces_[piece_idx];
    const Part& shape = layer.shape.parts[part];
    const StoredPart& stored = layer.stored[packing->from->expert][part];
    const auto read = [&](const Stored& one, size_t staged_at) {
      return packing->from->buffer + staged_at + one.offset % DirectReader::kBlock;
    };
    const Linear rows = matrices_of(*layer.moe, packing->from->expert)[part]->at(read(stored.rows, shape.staged_at));
    MatrixPieces(kernels_, rows, kPieceBytes).write(idx, packing->to + shape.offset);
    if (shape.has_scales && idx == 0)
      std::memcpy(packing->to + shape.scales_offset, read(stored.scales, shape.scales_staged_at),
                  stored.scales.n_bytes);
  });
  stats_.pack_seconds += seconds_since(start);
}

const ExpertMatrices& ExpertStore::matrices(uint32_t expert) const {
  const Layer& layer = layers_[layer_];
  if (const auto slot = layer.cache.slot_of(expert)) return layer.matrices[*slot];
  const auto passing = std::ranges::find(transient_.begin(), transient_.begin() + static_cast<ptrdiff_t>(n_transient_),
                                         expert, &Transient::expert);
  OGAS_CHECK(passing != transient_.begin() + static_cast<ptrdiff_t>(n_transient_), "expert {} is not in memory",
             expert);
  return passing->matrices;
}

Result<> ExpertStore::check_files() const {
  for (uint32_t file = 0; file < n_files_; ++file) OGAS_TRY(reader_->check_unchanged(file));
  return {};
}

Result<> ExpertStore::fill(std::span<const std::vector<float>> counts, const Progress& progress) {
  uint64_t done = 0;
  for (uint32_t idx = 0; idx < layers_.size(); ++idx) {
    Layer& layer = layers_[idx];
    layer.cache.set_counts(counts[idx]);
    begin(idx);
    for (const uint32_t expert : layer.cache.top_experts())
      if (layer.cache.count_of(expert) > 0 && !layer.cache.slot_of(expert)) missing_.push_back(expert);
    submit();
    for (auto some = OGAS_TRY(next()); !some.empty(); some = OGAS_TRY(next())) {
      done += some.size() * layer.shape.slot_bytes;
      if (!progress || error_) continue;
      // What is under way comes to its end.
      if (auto goes_on = progress(done); !goes_on) error_ = std::move(goes_on).error();
    }
  }
  return {};
}

std::vector<std::vector<float>> ExpertStore::counts() const {
  std::vector<std::vector<float>> all;
  for (const Layer& layer : layers_) all.push_back(layer.cache.counts());
  return all;
}

ExpertStore::Stats ExpertStore::Stats::since(const Stats& before) const {
  return {.n_tokens = n_tokens - before.n_tokens,
          .n_uses = n_uses - before.n_uses,
          .n_hits = n_hits - before.n_hits,
          .n_bytes = n_bytes - before.n_bytes,
          .n_prefetched = n_prefetched - before.n_prefetched,
          .n_prefetch_hits = n_prefetch_hits - before.n_prefetch_hits,
          .busy_seconds = busy_seconds - before.busy_seconds,
          .wait_seconds = wait_seconds - before.wait_seconds,
          .pack_seconds = pack_seconds - before.pack_seconds};
}

ExpertStore::Stats ExpertStore::stats() const {
  Stats stats = stats_;
  const DirectReader::Stats disk = reader_->stats();
  stats.n_bytes = disk.n_bytes;
  stats.busy_seconds = disk.busy_seconds;
  return stats;
}

uint64_t ExpertStore::n_slots() const {
  uint64_t n = 0;
  for (const Layer& layer : layers_) n += layer.cache.n_slots();
  return n;
}

uint64_t ExpertStore::n_experts() const {
  uint64_t n = 0;
  for (const Layer& layer : layers_) n += layer.stored.size();
  return n;
}

}  // namespace ogas
