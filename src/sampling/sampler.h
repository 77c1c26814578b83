// Chooses the next token from logits, as SamplingOptions ask and in their order (sampling_options.h).
//
// The same seed and the same logits give the same tokens, whatever else is in the batch: each sampler has a
// generator of its own (pcg32.h). It gives one number for each token drawn, after another one where XTC is on, and none
// where nothing is left to chance (temperature 0, top_k 1).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sampling/dry.h"
#include "sampling/pcg32.h"
#include "sampling/sampling_options.h"
#include "sampling/token_mask.h"
#include "sampling/top_k.h"
#include "text/vocab.h"

namespace ogas {

// Belongs to one sequence: mirostat and the generator keep state from token to token.
class Sampler {
 public:
  // mask: what else may come next, in addition to the options' own lists; null: anything.
  explicit Sampler(const SamplingOptions& options, std::unique_ptr<TokenMask> mask = nullptr);

  // logits: [n_vocab], left as they are; options.check_tokens(n_vocab) must hold. sequence: prompt and answer so far.
  // NaN counts as -inf. What has probability 0 is never drawn; where no token has any, it is the first that
  // the masks allow. Errors: those of the mask; unsupported (the mask and the lists of the options leave no token).
  Result<TokenId> sample(std::span<const float> logits, std::span<const TokenId> sequence);
  // No token is accepted before the next is drawn.
  void prepare() {
    if (mask_) mask_->prepare();
  }
  // Tokens that come next without being drawn; accept() is told of each that is taken.
  std::vector<TokenId> forced() { return mask_ ? mask_->forced() : std::vector<TokenId>(); }
  void accept(TokenId id) {
    if (mask_) mask_->accept(id);
  }

 private:
  struct Surprise {
    Candidate candidate;
    double weight;
    double from_entropy;  // natural units
  };

  Result<TokenId> choose(std::span<const float> logits, std::span<const TokenId> sequence);
  Result<> adjust(std::span<const float> logits, std::span<const TokenId> sequence);
  void penalise(std::span<const TokenId> sequence);
  Result<TokenId> first_allowed();

  double weight_of(float logit, float largest) const;
  double total_weight() const;
  double weigh_all();
  void weigh_candidates();
  void choose_candidates();
  void take_all_candidates();
  void keep_typical();
  bool keep_nucleus(double total, bool are_all);
  void exclude_top_choices();
  size_t draw();
  Result<TokenId> draw_from_all();
  Result<TokenId> draw_from_candidates();
  Result<TokenId> draw_mirostat();

  SamplingOptions options_;
  TokenListMask lists_;  // required_tokens and banned_tokens
  std::unique_ptr<TokenMask> mask_;
  Pcg32 random_;
  DryPenalty dry_;
  double mirostat_mu_;           // the most surprise a token may have, in bits
  std::vector<float> adjusted_;  // logits by id, as they are after the penalties
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;      // what is drawn from: shares of the candidates, or by id of all tokens
  std::vector<Surprise> surprises_;  // scratch
  std::vector<TokenId> seen_;        // scratch
};

}  // namespace ogas
