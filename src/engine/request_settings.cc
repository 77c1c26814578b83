#include "engine/request_settings.h"

#include "sampling/dry.h"

namespace ogas {

std::vector<std::string> default_dry_breakers() { return usual_dry_breakers(); }

void set_dry_breakers(SamplingOptions& sampling, const Tokenizer& tokenizer, std::span<const std::string> texts) {
  if (sampling.dry_multiplier > 0) sampling.dry_sequence_breakers = tokens_containing(tokenizer, texts);
}

}  // namespace ogas
