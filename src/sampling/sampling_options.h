// What a request may ask of the choice of tokens, and the order in which it takes effect.
//
//   1. logit_bias, required_tokens, banned_tokens: what is said of single tokens holds for all that follows
//   2. repetition, frequency and presence penalties, then DRY: they look at the sequence, not at the distribution
//   3. temperature: before the cuts, so that their shares are shares of what is drawn from
//   4. top_k, typical_p, top_p, min_p: each cuts what the one before left, as if its probabilities added up to 1
//   5. XTC: after the cuts, so that taking away the likeliest never lets in what they cut
//   6. the draw
//
// mirostat 2 replaces 4 and 5. With temperature 0 the largest logit after 2 is taken and nothing is drawn.
// Log-probabilities are those of the model's own logits, before any of this (logprobs.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "text/vocab.h"

namespace ogas {

struct LogitBias {
  TokenId id = 0;
  float bias = 0;
  bool operator==(const LogitBias&) const = default;
};

struct SamplingOptions {
  float temperature = 0.6F;  // 0: greedy; publishers of reasoning models ask for 0.6 to 0.7
  uint32_t top_k = 40;       // keep the k most likely; 0: all
  // Keep the tokens whose surprise lies nearest to the entropy, as many as have this probability together (locally
  // typical sampling, Meister et al. 2022, which cuts the whole distribution: set top_k to 0); 1: all
  float typical_p = 1;
  float top_p = 0.95F;  // keep the smallest set with at least this probability (Holtzman et al. 2019); 1: all
  float min_p = 0.05F;  // drop what is less likely than this share of the likeliest (Nguyen et al. 2024); 0: none
  // XTC (p-e-w 2024, text-generation-webui #6335): with this chance at each token, drop all tokens of at least the
  // threshold but the least likely of them. Above 0.5 no two can reach it. No token is exempt, not even an ending one.
  float xtc_probability = 0;
  float xtc_threshold = 0.1F;

  // Keskar et al. 2019 (CTRL): divides positive logits of tokens seen, multiplies negative
  float repetition_penalty = 1;
  float frequency_penalty = 0;  // OpenAI: subtracted once for every occurrence
  float presence_penalty = 0;   // OpenAI: subtracted once if it occurred
  uint32_t repeat_last_n = 64;  // how many of the last tokens, prompt included, the penalties look at
  static constexpr uint32_t kWholeSequence = INT32_MAX;  // of repeat_last_n

  // DRY (dry.h); multiplier 0: off.
  float dry_multiplier = 0;
  float dry_base = 1.75F;
  uint32_t dry_allowed_length = 2;  // repeated tokens before it sets in
  int32_t dry_penalty_last_n = -1;  // how many of the last tokens, prompt included, it looks at; -1: all, 0: off
  std::vector<TokenId> dry_sequence_breakers = {};  // in any order; see tokens_containing()

  // Mirostat (Basu et al. 2021): 2 for its algorithm 2, 0 for none.
  uint32_t mirostat = 0;
  float mirostat_tau = 5;     // the surprise it steers to, in bits
  float mirostat_eta = 0.1F;  // its learning rate

  std::vector<LogitBias> logit_bias = {};  // added to the model's logits (OpenAI); several for one token add up
  std::vector<TokenId> banned_tokens = {};
  std::vector<TokenId> required_tokens = {};  // where there are any, no others can be drawn

  bool report_logprob = false;  // of the tokens drawn
  uint32_t n_logprobs = 0;      // how many of the likeliest tokens are reported with each one drawn

  uint64_t seed = 0;
  static constexpr uint64_t kRandomSeed = UINT64_MAX;  // draw_seed() is to choose one

  bool wants_logprobs() const { return report_logprob || n_logprobs > 0; }

  // Chooses a seed where kRandomSeed asks for it; of 32 bits, so that it is short enough to be typed again.
  void draw_seed();
  // Errors: usage, naming the field, its value and its range (sampling_settings.h).
  Result<> validate() const;
  // Errors: usage, naming the field and the token that a vocabulary of this size lacks, or that no token is left.
  Result<> check_tokens(size_t n_vocab) const;
};

}  // namespace ogas
