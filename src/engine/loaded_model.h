// What an Engine works with once a model is loaded: file, model, tokenizer, templates, threads, weights and pages.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "arch/model.h"
#include "base/thread_pool.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "nn/packed_weights.h"

namespace ogas {

class LoadedModel {
 public:
  // As Engine::load.
  static Result<std::unique_ptr<LoadedModel>> load(const std::filesystem::path& path, const EngineOptions& options,
                                                   const Engine::LoadProgress& progress);

  // `what` they are begins the message. Errors: usage (none, more than the context, out of the vocabulary).
  Result<> check_tokens(std::span<const TokenId> tokens, std::string_view what = "the prompt") const;
  Result<> check_vocabulary(std::span<const TokenId> tokens) const;
  Result<> check_extension(const Extension& extension) const;
  // Whether there are so many free pages, or as many as n more positions of a sequence take. Errors: out_of_memory.
  Result<> check_pages(size_t n_pages) const;
  Result<> check_room(const KvSequence& kv, size_t n) const { return check_pages(kv.pages_to_extend(n)); }

  // Logits [n, n_vocab] after the last token of each that wants them.
  std::span<const float> compute(std::span<const Extension> extensions);
  // The logits [n, n_vocab] of tokens begin..begin + n, whose keys and values go into the sequence.
  using ComputeRows = std::function<std::span<const float>(size_t begin, size_t n, KvSequence&)>;
  // n_rows rows of logits from an empty context, `batch` at a time (0: n_batch).
  Result<> compute_rows(size_t n_rows, uint32_t batch, const ComputeRows& compute_some, const Engine::TakeRow& row);
  std::span<const float> forward(const BatchPart& part) {
    Exec exec{*pool, *ops};
    return model->forward(exec, {&part, 1});
  }
  bool goes_on_from_generated() const {
    return !model->facts().prompts_differ && (ops->tile_rows == 0 || packed.panels().empty());
  }

  TensorFile file;
  std::unique_ptr<Model> model;
  EngineOptions options;  // with the defaults resolved
  const Ops* ops = nullptr;
  Result<std::unique_ptr<Tokenizer>> tokenizer = fail(ErrorCode::unsupported, "no tokenizer");
  std::optional<ChatTemplate> chat_template;
  std::optional<ChatTemplate> tool_template;  // where there is another for conversations with tools
  std::string chat_template_error = "the model file has no chat template";
  SamplingOptions sampling;  // the publisher's
  std::unique_ptr<ThreadPool> pool;
  PackedWeights packed;
  std::unique_ptr<KvCache> kv_cache;

 private:
  void read_chat_template();
};

}  // namespace ogas
