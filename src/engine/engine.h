// A loaded model that answers requests. The public face of the floors below: cli/ and later server/ use this.
//
//   auto engine = Engine::load("model.gguf", {}).value();
//   auto session = engine->new_session();
//   auto answer = engine->generate(*session, {.prompt = engine->tokenizer()->encode("Once upon a time")});
//
// One Engine belongs to one thread at a time, except cancel(), which any thread (or a signal handler) may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "arch/model.h"
#include "base/result.h"
#include "chat/answer_ends.h"
#include "chat/chat_template.h"
#include "engine/embed.h"
#include "engine/options.h"
#include "engine/request.h"
#include "engine/score.h"
#include "files/tensor_file.h"
#include "nn/expert_store.h"
#include "sampling/sampling_options.h"
#include "text/tokenizer.h"

namespace ogas {

struct ChatOptions {
  // Read special tokens ("<|im_end|>") in what the conversation's messages say too. Off, they stay text there, so that
  // nobody can end a turn or speak as the system by typing.
  bool special_in_input = false;
};

// One conversation's tokens and their keys and values. Made by Engine::new_session, and must not outlive the Engine.
class Session;

// Tokens to be computed behind those a session holds.
struct BatchItem {
  Session* session = nullptr;
  std::span<const TokenId> tokens = {};
  RowKind kind = RowKind::prefill;  // what they are computed as (nn/row_kind.h)
  uint32_t n_logits = 1;            // of how many of the last ones logits are wanted
};

class LoadedModel;

class Engine {
 public:
  // path: a .gguf file. Errors: as TensorFile::open; unsupported (architecture, format; a tokenizer that is needed);
  // out_of_memory before anything is loaded, with what it needs and what there is; usage for options out of range;
  // cancelled, where `progress` stops it: nothing is left of the model then.
  static Result<std::unique_ptr<Engine>> load(const std::filesystem::path& path, const EngineOptions& options,
                                              const LoadProgress& progress = {}, const PlanReady& planned = {});
  ~Engine();

  const TensorFile& file() const;
  const ModelFacts& facts() const;
  const EngineOptions& options() const;  // with the defaults resolved
  // The matrices that one token is multiplied with (arch/model.h).
  std::span<const Linear* const> linears_of_token() const;
  // Of experts that are read from disk; null where all weights are in memory.
  const ExpertStore* experts() const;
  // Between two passes: gives memory for experts back where the process's limit on it was lowered (memory_limit.h).
  // Passes do so themselves; this is for whoever waits between them.
  void follow_memory_limit();
  // Matrices as they lie in memory for multiplication (nn/packed_weights.h); empty where they are read as mapped.
  std::span<const std::byte> packed_weights() const;
  // Why there is none, or the tokenizer. (Logits need none.)
  const Result<std::unique_ptr<Tokenizer>>& tokenizer_or_error() const;
  const Tokenizer* tokenizer() const;         // null where the file has none that ogas can use
  const ChatTemplate* chat_template() const;  // null where the file has none; see chat_template_error()
  const std::string& chat_template_error() const;
  // Whether a variable of this name stands in a template of the model's, be it the one for tools.
  bool chat_templates_mention(std::string_view name) const;
  const AnswerEnds& answer_ends() const;                // the tokens that end an answer
  const SamplingOptions& recommended_sampling() const;  // the publisher's, as the file has it

  // A conversation by the model's own template. Errors: unsupported (no template or no tokenizer), bad_file (the
  // template fails).
  Result<RenderedChat> render_chat(const ChatTemplateInput& input) const;
  // Its text as tokens. Errors: the same.
  Result<std::vector<TokenId>> encode_chat(const ChatTemplateInput& input, ChatOptions options = {}) const;

  struct SessionDeleter {
    void operator()(Session* session) const;
  };
  using SessionPtr = std::unique_ptr<Session, SessionDeleter>;
  SessionPtr new_session();
  // The tokens a session holds keys and values of.
  static std::span<const TokenId> tokens_of(const Session& session);

  // Whether a request continues from what the session holds of generated tokens, if its prompt repeats them. Where
  // prompts are computed in another way (RowKind) it continues from the prompt before, so that an answer has the same
  // bits from a session as without one.
  bool reuses_generated() const;

  // Answers one request, step by step. Errors: usage (empty prompt, prompt longer than the context by how much, token
  // out of range, sampling out of range or with tokens that the vocabulary lacks).
  Result<Answer> generate(Session& session, const Request& request);
  // Ends the running answer after the current step; what came so far is returned with FinishReason::cancelled. Ends
  // score(), score_text() and embed() after the current pass, with the error `cancelled`. Nothing where none of these
  // runs: what is called later begins afresh.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  // Logits after each of the tokens, from an empty context: row(idx, logits[n_vocab]) for every position in order.
  // batch: how many are computed together (0: n_batch); the result does not depend on it beyond float rounding.
  using TakeRow = std::function<void(size_t, std::span<const float>)>;
  Result<> logits(std::span<const TokenId> tokens, uint32_t batch, const TakeRow& row, RowKind kind = RowKind::prefill);
  // The same of the MTP head, for all tokens but the last: row idx is what it says once token
  // idx + 1 is known. Errors: usage where the model has none (facts().n_mtp) or fewer than two tokens are given.
  Result<> mtp_logits(std::span<const TokenId> tokens, uint32_t batch, const TakeRow& row);

  // Computes these tokens behind those the session holds, n_batch at a time; no tokenizer is needed. Logits [n_vocab]
  // after the last one, valid until the next call. Errors: usage (no token, one out of range, or no room for them).
  Result<std::span<const float>> extend(Session& session, std::span<const TokenId> tokens,
                                        RowKind kind = RowKind::prefill);
  // The same for several sessions in one pass: logits [n, n_vocab] of those that want them. Memory for activations
  // grows with the tokens of all. Errors: as above, or a session that is there twice; nothing is computed then.
  Result<std::span<const float>> extend(std::span<const BatchItem> items);

  // How likely each token of a continuation is behind the context and those before it; all continuations share the
  // context's keys and values. Logits are those of logits(), bit for bit. Memory does not grow with the number of
  // tokens but for keys and values, of which one batch's continuations are held at a time. Asking `stop` to stop, from
  // any thread and at any time, also before, ends it as cancel() does: so what waits for an EngineThread can be ended.
  // Errors: usage (an empty context or continuation, a token out of range, more tokens than the context by how much),
  // out_of_memory, cancelled.
  Result<std::vector<Score>> score(std::span<const TokenId> context,
                                   std::span<const std::vector<TokenId>> continuations,
                                   const std::stop_token& stop = {});
  // The same of every token of a text but the first, however long it is (rolling log-likelihood). Errors: usage
  // (windows that do not fit, fewer than two tokens, one out of range), cancelled.
  Result<Score> score_text(std::span<const TokenId> tokens, const ScoreWindows& windows = {},
                           const std::stop_token& stop = {});

  // A vector [n_embd] for each text, several texts in a pass; a text's is the same bits whatever it is computed beside.
  // Errors: usage (as generate, naming the text), out_of_memory, cancelled (as score), and those of
  // recommended_pooling() where it is asked.
  Result<std::vector<std::vector<float>>> embed(std::span<const std::vector<TokenId>> texts,
                                                const EmbedOptions& options = {}, const std::stop_token& stop = {});

  // Bytes that all sessions of this engine hold in the KV cache, and, in addition, those that only the prefix cache
  // holds.
  uint64_t kv_bytes_used() const;
  uint64_t kv_bytes_cached() const;
  // Waits until what is to be kept on disk is there. Ending without is harmless; it may be computed again.
  void flush_prefixes();
  unsigned n_threads() const;
  std::string_view isa() const;  // the instruction set in use: "avx2"

 private:
  friend class Scheduler;
  explicit Engine(std::unique_ptr<LoadedModel> model);
  // Whether to end what begins with this: by cancel() from here on, or by `stop`, which must outlive it.
  auto begin_cancellable(const std::stop_token& stop) {
    cancelled_.store(false, std::memory_order_relaxed);
    return [this, &stop] { return cancelled_.load(std::memory_order_relaxed) || stop.stop_requested(); };
  }
  std::unique_ptr<LoadedModel> model_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace ogas
