// The figures of ogas bench: what is measured of a model, each with the machine's limit.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "measure/machine.h"
#include "nn/expert_store.h"

namespace ogas {

// Called before each measurement with its name, and at the end with an empty text.
using ShowStep = std::function<void(std::string_view)>;

struct Machine {
  std::vector<double> bandwidth;           // bytes a second by threads: 1, 2, 4, ... and at last all of them
  std::array<Peak, kWeightKinds> product;  // on all threads: of weights of each WeightKind
};
// weights: reading is measured on these if they are large enough, since memory may not be equally fast everywhere, or
// if there is no memory for others. isa: the instruction set that multiplies (CpuKernels::name).
Machine measure_machine(std::string_view isa, unsigned n_threads, std::span<const std::byte> weights, bool may_allocate,
                        const ShowStep& show);

// The minimum that the tokens of a figure take: bytes read from memory, and operations by WeightKind, a multiplication
// and an addition being two.
struct MinWork {
  double n_tokens = 0, bytes = 0;
  std::array<double, kWeightKinds> ops_by_kind{};

  double kernels() const;
  double intensity() const { return kernels() / bytes; }  // operations a byte
  // Operations a second if nothing is read: each kind at its own peak.
  double peak(const Machine& machine) const;
  // The kind that takes the largest part of that time.
  WeightKind main_kind(const Machine& machine) const;
  // The roofline (Williams et al. 2009): tokens a second where reading and computing overlap completely.
  double limit(const Machine& machine) const;
  bool is_bound_by_memory(const Machine& machine) const;
};

// How much reading of experts from disk overlaps with computing, over all repetitions of a figure.
struct Overlap {
  double seconds = 0;
  ExpertStore::Stats experts = {};

  double computing() const { return seconds - experts.wait_seconds; }
  // What it took, of the longer of the two: 1 where they overlap completely.
  double of_longer() const { return seconds / std::max({experts.busy_seconds, computing(), 1e-9}); }
};

struct Figure {
  std::string name;
  MinWork work = {};
  Median rate = {};  // tokens a second
  std::string skipped = {};
  // If experts are on disk.
  std::optional<Overlap> overlap = {};

  double kernels() const { return rate.value * work.kernels() / work.n_tokens; }  // a second
};

struct FigureOptions {
  uint32_t n_repeat = 5;
  double budget_seconds = 15;          // of one figure; prefill 512 and those of `only` are measured once in any case
  std::vector<std::string> only = {};  // names; empty: all
  ShowStep show = [](std::string_view) {};
};

// "prefill 512", "decode at 2048", "8 tokens a step", "8 sessions", in the order in which they are measured.
std::vector<std::string> figure_names();

class Bench {
 public:
  Bench(Engine& engine, const FigureOptions& options);

  // Errors: those of Engine::extend.
  Result<std::vector<Figure>> run();
  // A prompt of 32 tokens, as the first thing after loading: no token is generated, but could be after this time.
  const AnswerStats& first_answer() const { return first_answer_; }

 private:
  // Seconds that one repetition of a figure takes.
  using Repetition = std::function<Result<double>()>;

  Result<> first_token();
  Result<> prefill(uint32_t n);
  Result<> decode(uint32_t depth);
  Result<> step_of(uint32_t n);
  Result<> sessions_of(uint32_t n);
  bool is_wanted(std::string_view name) const;
  // Why a figure after n_prompt tokens of prompt is left out; empty if it is not.
  std::string why_not(std::string_view name, uint32_t n_prompt, uint32_t n_more) const;
  Result<> repeat(Figure& figure, const Repetition& seconds);

  Engine& engine_;
  const FigureOptions& options_;
  ModelFacts facts_;  // for limits
  std::vector<Figure> figures_;
  AnswerStats first_answer_;
  double prefill_rate_ = 0;
};

// Tokens that a text could have, without any text: spread over the vocabulary.
std::vector<TokenId> make_tokens(size_t n, uint32_t n_vocab);

// The minimum work of one pass over n_tokens from an empty context, with n_logits rows of logits; and of one token
// after `depth` others. A prompt counts as one pass, however it is split. Counted are the file's bytes, the KV cache,
// and recurrent states once a pass. Scores of attention are not counted.
MinWork work_of_pass(const ModelFacts& facts, uint32_t n_tokens, uint32_t n_logits);
MinWork work_of_token(const ModelFacts& facts, const KvLayout& kv, uint32_t depth);

}  // namespace ogas
