// Chooses the next token from logits.
//
// Order: repetition, frequency and presence penalties, then temperature, top-k, top-p, min-p, then the draw. With
// temperature 0 the largest (penalised) logit wins and nothing is drawn. The same seed and the same logits give the
// same tokens: the generator and the draw are ours (PCG32), not whatever a standard library brings.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "text/vocab.h"

namespace ogas {

struct SamplingOptions {
  float temperature = 0.6F;  // 0: greedy; publishers of reasoning models ask for 0.6 to 0.7
  uint32_t top_k = 40;       // keep the k most likely; 0: all
  float top_p = 0.95F;       // keep the smallest set with at least this probability (Holtzman et al. 2019); 1: all
  float min_p = 0.05F;       // drop what is less likely than this share of the likeliest (Nguyen et al. 2024); 0: none
  float repetition_penalty =
      1;  // Keskar et al. 2019 (CTRL): divides positive logits of tokens seen, multiplies negative
  float frequency_penalty = 0;   // OpenAI: subtracted once for every occurrence
  float presence_penalty = 0;    // OpenAI: subtracted once if it occurred
  uint32_t penalty_window = 64;  // how many of the last tokens, prompt included, the penalties look at
  uint64_t seed = 0;

  // Errors: usage, naming the field, its value and its range.
  Result<> validate() const;
};

class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options);

  // logits: [n_vocab], left as they are. recent: the sequence so far; only its last penalty_window tokens count.
  TokenId sample(std::span<const float> logits, std::span<const TokenId> recent);

 private:
  struct Candidate {
    TokenId id;
    float logit;
  };

  void penalise(std::span<const TokenId> recent);
  double weight_of(float logit, float largest) const;
  double total_weight(float largest) const;
  TokenId draw_from_all();
  void select_largest(size_t k);
  void choose_candidates();
  void weigh_candidates();
  bool keep_nucleus(double total, bool are_all);
  double next_uniform();

  SamplingOptions options_;
  uint64_t state_;
  std::vector<Candidate> candidates_;
  std::vector<float> adjusted_;
  std::vector<double> weights_;
};

}  // namespace ogas
