// A loaded model that answers requests. The public face of the floors below, for cli/, server/ and capi/.
//
//   auto engine = Engine::load("model.gguf", {}).value();
//   auto session = engine->new_session();
//   auto answer = engine->generate(*session, {.prompt = engine->text().tokenizer()->encode("Once upon a time")});
//
// Scores (score.h), embeddings (embed.h), logits (logits.h) and many requests at once (scheduler.h) are functions and
// classes of an engine. One Engine belongs to one thread at a time, except cancel(), which any thread (or a signal
// handler) may call, and text(), which does not change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "arch/model_facts.h"
#include "base/result.h"
#include "engine/model_text.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/session.h"
#include "files/tensor_file.h"

namespace ogas {

class EngineCore;
class ExpertStore;
class KvManager;
class Linear;

class Engine {
 public:
  // path: a .gguf file or a Hugging Face folder. Errors: as TensorFile::open; unsupported (architecture, format; a
  // tokenizer that is needed); out_of_memory before anything is loaded, with what it needs and what there is; usage for
  // options out of range; cancelled, where `progress` stops it: nothing is left of the model then.
  static Result<std::unique_ptr<Engine>> load(const std::filesystem::path& path, const EngineOptions& options,
                                              const LoadProgress& progress = {}, const PlanReady& planned = {});
  ~Engine();

  const TensorFile& file() const;
  const ModelFacts& facts() const;
  const EngineOptions& options() const;  // with the defaults resolved
  const ModelText& text() const;
  std::string_view isa() const;  // the instruction set in use: "avx2"
  // Of experts that are read from disk; null where all weights are in memory.
  const ExpertStore* experts() const;
  // The KV cache of all sessions, and the prefix cache.
  KvManager& kv();
  const KvManager& kv() const;

  using SessionPtr = std::unique_ptr<Session>;
  SessionPtr new_session();

  // Answers one request, step by step. Errors: usage (empty prompt, prompt longer than the context by how much, token
  // out of range, sampling out of range or with tokens that the vocabulary lacks), unsupported (no tokenizer).
  Result<Answer> generate(Session& session, const Request& request);
  // Ends the running answer after the current step; what came so far is returned with FinishReason::cancelled. Ends
  // score(), score_text() and embed() after the current pass, with the error `cancelled`. Does nothing where none of
  // these runs: what is called later is not affected.
  void cancel();

  // Computes these tokens after those the session holds, n_batch at a time; no tokenizer is needed. Logits [n_vocab]
  // after the last one, valid until the next call. Errors: usage (no token, one out of range, or no space for them).
  Result<std::span<const float>> extend(Session& session, std::span<const TokenId> tokens,
                                        RowKind kind = RowKind::prefill);
  // The same for several sessions in one pass: logits [n, n_vocab] of those that want them. Memory for activations
  // grows with the tokens of all. Errors: as above, or a session that is there twice; nothing is computed then.
  Result<std::span<const float>> extend(std::span<const BatchItem> items);

  // For those who measure: the matrices that a token is multiplied with, and what of the weights was rearranged in
  // memory for the kernels.
  std::span<const Linear* const> linears_of_token() const;
  std::span<const std::byte> weight_panels() const;

  // Between two passes: gives memory for experts back where the process's limit on it was lowered (memory_limit.h).
  // Passes do so themselves; this is for those who wait between them.
  void follow_memory_limit();
  // What the other modules of engine/ work with.
  EngineCore& core() { return *core_; }
  const EngineCore& core() const { return *core_; }

 private:
  explicit Engine(std::unique_ptr<EngineCore> core);
  std::unique_ptr<EngineCore> core_;
};

}  // namespace ogas
