// A model in memory and the threads it computes on. Made by load_model() (model_loader.h).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "arch/model.h"
#include "base/thread_pool.h"
#include "engine/memory_limit.h"
#include "engine/model_text.h"
#include "engine/options.h"
#include "nn/embeddings.h"
#include "nn/expert_store.h"
#include "nn/packed_weights.h"
#include "ops/cpu/local_exec.h"

namespace ogas {

struct LoadedModel {
  LoadedModel() = default;
  // Writes down how often experts were used, where it is known for which file.
  ~LoadedModel();
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;

  const ModelFacts& facts() const { return model->facts(); }
  // `what` they are begins the message. Errors: usage (none, more than the context, out of the vocabulary).
  Result<> check_tokens(std::span<const TokenId> tokens, std::string_view what = "the prompt") const;
  Result<> check_vocabulary(std::span<const TokenId> tokens) const;

  TensorFile file;
  std::unique_ptr<Model> model;
  EngineOptions options;  // with the defaults resolved
  CpuKernels kernels;     // those of the machine, as they suit the model
  ModelText text;
  bool has_panels = false;  // of any matrix
  PackedWeights packed;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Scratch> scratch;  // of the pool's threads
  std::optional<LocalExec> exec;     // on them; a Pass uses it

  std::vector<Embeddings*> embeddings_on_disk;  // those whose rows are read from the file
  std::unique_ptr<ExpertStore> experts;         // null where all weights are in memory
  std::optional<MemoryLimit> memory_limit;      // where experts are on disk
  std::filesystem::path expert_counts_file;     // how often they were used; empty: not kept
};

}  // namespace ogas
