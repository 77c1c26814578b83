// Experts of models that are larger than memory: read from their files when tokens take them, past the page cache, and
// kept within a budget as the panels they are multiplied from.
//
// Once a layer's router has chosen, all of its experts that are not in memory are asked for at the same time. Those
// that are there are computed meanwhile, and each of the others as it arrives; so a prompt's many tokens go through a
// layer in waves, and each expert is read once for all of them. What is computed is the same, bit for bit, as with all
// experts in memory: a token's sum is formed in the order of its experts' ranks, whenever they were computed.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/direct_reader.h"
#include "base/memory.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "files/tensor_file.h"
#include "nn/expert_cache.h"
#include "nn/expert_prefetch.h"
#include "nn/expert_source.h"
#include "ops/linear.h"

namespace ogas {

struct ExpertStoreOptions {
  uint64_t budget = 0;  // bytes of memory for everything it holds
  ExpertPrefetch expert_prefetch = ExpertPrefetch::automatic;
  DirectReader::Options disk = {};
  // Folders that hold copies of the model's files, on other disks, which share the reading.
  std::span<const std::filesystem::path> mirrors = {};
};

class ExpertStore final : public ExpertSource {
 public:
  // Memory for a store of these layers: with slots for all experts, of these the slots, and the minimum that works.
  struct Bytes {
    uint64_t all, slots, min;
  };
  static Bytes bytes_for(std::span<Moe* const> layers, const CpuKernels& kernels);

  // From here on the layers' experts are here, packed by the threads of this pool. They, the file and the pool must
  // outlive it. Errors: those of opening files; out_of_memory, if the budget is less than it works with.
  static Result<std::unique_ptr<ExpertStore>> create(const TensorFile& file, std::span<Moe* const> layers,
                                                     ThreadPool& pool, const CpuKernels& kernels,
                                                     const ExpertStoreOptions& options);
  ~ExpertStore() override;

  std::span<const uint32_t> start(uint32_t layer, std::span<const ExpertCache::Use> uses, uint32_t n_tokens) override;
  // Errors: those of DirectReader, once nothing of this layer is under way.
  Result<std::span<const uint32_t>> next() override;
  const ExpertMatrices& matrices(uint32_t expert) const override;
  const Moe* next_layer() const override;
  void predict(std::span<const uint32_t> experts) override;

  // Between two passes: the budget from here on, within what it was created with. What it no longer has space for goes
  // back to the system, those experts first that were taken least; what it cannot work without stays. What is
  // computed is the same.
  void set_budget(uint64_t budget);

  // Whether the files are those that were opened. Errors: io.
  Result<> check_files() const;

  // Brings experts into free slots, best first, as earlier runs have counted them: [layer][expert]. For the start;
  // progress: the bytes done so far, and an error ends it. Errors: those of next() and of progress.
  using Progress = std::function<Result<>(uint64_t n_bytes)>;
  Result<> fill(std::span<const std::vector<float>> counts, const Progress& progress);
  std::vector<std::vector<float>> counts() const;

  struct Stats {
    uint64_t n_tokens = 0;         // that went through all layers
    uint64_t n_uses = 0;           // experts that a pass took, each once
    uint64_t n_hits = 0;           // of these, in memory
    uint64_t n_bytes = 0;          // read from disk
    uint64_t n_prefetched = 0;     // read before the layer took them,
    uint64_t n_prefetch_hits = 0;  // which it did
    double busy_seconds = 0;       // with reads under way
    double wait_seconds = 0;       // with nothing to compute before one is done
    double pack_seconds = 0;

    // What came to these since those.
    Stats since(const Stats& before) const;
  };
  Stats stats() const;
  // Experts that can be in memory, of how many.
  uint64_t n_slots() const;
  uint64_t n_experts() const;
  uint64_t n_bytes() const { return n_bytes_; }  // that it may come to hold

 private:
  static constexpr size_t kParts = 3;  // gate, up, down
  // A matrix in memory: panels, or its rows as the file has them.
  struct Part {
    size_t offset;  // in its slot
    bool is_packed;
    size_t staged_at;  // in a buffer for what is read
    // The same of its scales, where they are stored apart (MXFP4_SPLIT).
    bool has_scales;
    size_t scales_offset, scales_staged_at;
  };
  struct Shape {
    std::array<Part, kParts> parts;
    unsigned n_reads;  // of an expert
    size_t slot_bytes, staged_bytes;
  };
  struct Stored {
    uint32_t file;
    uint64_t offset;
    size_t n_bytes;
  };
  struct StoredPart {
    Stored rows, scales;
  };
  struct Layer {
    const Moe* moe;
    Shape shape;
    ExpertCache cache;
    PageBuffer memory;                                   // n_slots slots
    std::vector<ExpertMatrices> matrices;                // [n_slots]
    std::vector<std::array<StoredPart, kParts>> stored;  // [n_expert]
  };
  // An expert that is being read.
  struct Staged {
    std::byte* buffer;
    bool is_taken = false, is_prefetch = false;
    uint32_t layer = 0, expert = 0;
    unsigned n_reads_left = 0;
    std::optional<Error> error = {};
  };
  // Memory for an expert that is not worth the slot of another.
  struct Transient {
    std::byte* memory;
    uint32_t expert = 0;
    ExpertMatrices matrices = {};
  };
  // What an expert is made of, to where.
  struct Packing {
    const Staged* from;
    std::byte* to;
    ExpertMatrices* matrices;
  };

  // A piece of one of its matrices, which one thread packs.
  struct PackingPiece {
    const Packing* packing;
    size_t part, idx;
  };

  ExpertStore(ThreadPool& pool, const CpuKernels& kernels, std::unique_ptr<DirectReader> reader,
              ExpertPrefetch expert_prefetch)
      : pool_(pool), kernels_(kernels), expert_prefetch_(expert_prefetch), reader_(std::move(reader)) {}
  static Shape shape_of(const Moe& moe, const CpuKernels& kernels);
  static Shape largest_of(std::span<Moe* const> layers, const CpuKernels& kernels);
  void make_buffers(const Shape& largest, size_t n_used, uint64_t budget);
  void add_layer(const TensorFile& file, const Moe& moe, uint32_t n_slots);
  void resize(Layer& layer, uint32_t n_slots);
  static void bind(const Layer& layer, uint32_t expert, std::byte* memory, ExpertMatrices& matrices);
  void begin(uint32_t layer);
  void submit();
  void read_into(size_t staged_idx, uint32_t layer, uint32_t expert, bool is_prefetch);
  void claim_prefetched();
  void note_all_read();
  void complete(DirectReader::Done done);
  void poll_completions();
  size_t n_worth_prefetching() const;
  std::span<const uint32_t> commit();
  void pack(std::span<const Packing> packings);

  ThreadPool& pool_;
  const CpuKernels kernels_;
  const ExpertPrefetch expert_prefetch_;
  uint32_t n_files_ = 0;
  std::vector<Layer> layers_;
  PageBuffer staging_memory_, transient_memory_;
  std::unique_ptr<DirectReader> reader_;  // goes before the memory, into which it may be reading
  std::vector<Staged> staging_;
  std::vector<Transient> transient_;
  uint64_t n_bytes_ = 0;

  // The layer at hand.
  uint32_t layer_ = 0;
  std::vector<uint32_t> missing_;  // to be read,
  size_t n_submitted_ = 0;         // of these under way or done
  size_t n_coming_ = 0;            // under way
  std::vector<size_t> arrived_;    // of staging_, not settled yet
  size_t n_transient_ = 0;         // of transient_, taken
  std::vector<uint32_t> ready_;
  std::vector<Packing> packings_;
  std::vector<PackingPiece> pieces_;
  // The next one: expected of it that is not in memory, and how many of them are to be read.
  std::vector<uint32_t> predicted_;
  size_t n_to_prefetch_ = 0, n_prefetched_ = 0;
  double n_predicted_ = 0, n_predicted_right_ = 0;  // recently
  // Since when the disk has nothing to do for this layer, and how long that was before the next began, recently.
  std::optional<std::chrono::steady_clock::time_point> all_read_;
  double seconds_between_ = 0;
  std::optional<Error> error_;
  Stats stats_;
};

}  // namespace ogas
