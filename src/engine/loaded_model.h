// What an Engine works with once a model is loaded: file, model, tokenizer, templates, threads, weights and pages.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/model.h"
#include "base/function_ref.h"
#include "base/thread_pool.h"
#include "chat/answer_ends.h"
#include "engine/engine.h"
#include "engine/kv_manager.h"
#include "engine/memory_limit.h"
#include "engine/session.h"
#include "nn/embeddings.h"
#include "nn/expert_store.h"
#include "nn/packed_weights.h"
#include "ops/cpu/local_exec.h"

namespace ogas {

class LoadedModel {
 public:
  ~LoadedModel();
  // As Engine::load.
  static Result<std::unique_ptr<LoadedModel>> load(const std::filesystem::path& path, const EngineOptions& options,
                                                   const LoadProgress& progress, const PlanReady& planned);

  // `what` they are begins the message. Errors: usage (none, more than the context, out of the vocabulary).
  Result<> check_tokens(std::span<const TokenId> tokens, std::string_view what = "the prompt") const;
  Result<> check_vocabulary(std::span<const TokenId> tokens) const;
  Result<> check_item(const BatchItem& item) const;
  // Logits after the last token of each that wants them. Errors: io, where weights are read from disk; the sessions are
  // as they were then.
  Result<Pass> compute(std::span<const BatchItem> items);
  // The logits [n, n_vocab] of tokens begin..begin + n, whose keys and values go into the sequence.
  using ComputeRows = std::function<Result<std::span<const float>>(size_t begin, size_t n, KvSequence&)>;
  // n_rows rows of logits from an empty context, `batch` at a time (0: n_batch).
  Result<> compute_rows(size_t n_rows, uint32_t batch, const ComputeRows& compute_some, const Engine::TakeRow& row);
  // A pass. Errors: io, where weights are read from disk; the sequences are then to be given up.
  Result<Pass> forward(Batch batch);
  Result<Pass> forward(const BatchPart& part) { return forward(Batch(&part, 1)); }
  // Calls take(idx, logits [n_vocab]) for each of these rows of a pass, from any thread, one row by one thread. Not
  // more of these logits exist at a time than a small batch's.
  using TakeLogits = FunctionRef<void(size_t idx, std::span<const float> logits)>;
  void for_logits_of(const Pass& pass, std::span<const uint32_t> rows, TakeLogits take);
  // Where experts are on disk, as MemoryLimit::follow().
  void follow_memory_limit() {
    if (experts) memory_limit_->follow(*experts);
  }

  TensorFile file;
  std::unique_ptr<Model> model;
  EngineOptions options;  // with the defaults resolved
  CpuKernels kernels;     // those of the machine, as they suit the model
  Result<std::unique_ptr<Tokenizer>> tokenizer = fail(ErrorCode::unsupported, "no tokenizer");
  std::optional<ChatTemplate> chat_template;
  std::optional<ChatTemplate> tool_template;  // where there is another for conversations with tools
  std::string chat_template_error = "the model file has no chat template";
  AnswerEnds ends;           // none without a tokenizer
  SamplingOptions sampling;  // the publisher's
  Result<Pooling> pooling;   // theirs, of vectors of texts
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Scratch> scratch;  // of the pool's threads
  std::optional<LocalExec> exec;     // on them; a Pass uses it
  bool has_panels = false;           // of any matrix
  PackedWeights packed;
  std::unique_ptr<ExpertStore> experts;  // null where all weights are in memory
  std::unique_ptr<KvManager> kv;

 private:
  // budget: bytes of memory for them; all_bytes: that all would take.
  Result<> leave_experts_on_disk(uint64_t budget, uint64_t all_bytes);
  void read_chat_template(const std::string& given);
  void find_ends();
  Result<> make_kv_manager();
  // What names the model's content, and what its keys and values depend on beside it. Errors: io.
  Result<std::string> identity() const;
  Result<std::string> identity_of_pages() const;
  // Where it is kept how often experts are taken; empty: nowhere. Errors: io.
  Result<std::filesystem::path> expert_counts_path() const;

  std::optional<MemoryLimit> memory_limit_;   // where experts are on disk
  std::filesystem::path expert_counts_file_;  // empty: none
  std::vector<Embeddings*> embeddings_;       // that are read from the file
  std::vector<BatchPart> batch_;              // of compute(), kept for its room
};

}  // namespace ogas
