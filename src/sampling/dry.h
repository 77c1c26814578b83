// DRY, "don't repeat yourself" (p-e-w 2024, text-generation-webui #5677). If the end of the sequence repeats earlier
// tokens, the token that followed them there is penalised; longer matches are penalised more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sampling/sampling_options.h"
#include "text/tokenizer.h"

namespace ogas {

class DryPenalty {
 public:
  explicit DryPenalty(const SamplingOptions& options);

  // Subtracts multiplier * base ^ (length - allowed_length) from the logit of each token that would continue a match of
  // `length` (the longest of its matches), if that is at least allowed_length. No match contains a sequence breaker,
  // and no breaker is penalised. sequence: the prompt and the answer so far. Takes hardly more than time
  // linear in the window.
  void apply(std::span<float> logits, std::span<const TokenId> sequence);

 private:
  bool is_breaker(TokenId id) const;
  void find_matches(std::span<const TokenId> window, size_t n_usable);

  double multiplier_;
  double base_;
  size_t allowed_length_;
  size_t window_;
  std::vector<bool> breakers_;  // by id, as far as the largest
  std::vector<size_t> matches_;
  std::vector<std::pair<TokenId, size_t>> continued_;  // scratch
};

// What ends a repetition where nothing else is said: new lines, colons, quotes and asterisks.
inline std::vector<std::string> usual_dry_breakers() { return {"\n", ":", "\"", "*"}; }

// The tokens whose bytes contain one of these strings, which may not be empty. A string that no token holds as a whole
// finds none.
std::vector<TokenId> tokens_containing(const Tokenizer& tokenizer, std::span<const std::string> strings);

}  // namespace ogas
