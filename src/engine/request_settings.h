// The options of a request's sampling for those who ask: one table (sampling/sampling_settings.h), and the one option
// that needs the model's tokenizer.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/request.h"
#include "sampling/sampling_settings.h"
#include "text/tokenizer.h"

namespace ogas {

// The texts that break DRY's repetitions where a request names none.
std::vector<std::string> default_dry_breakers();
// Makes the tokens that contain one of these texts, none of them "", the sequence breakers. Does nothing where DRY is
// off.
void set_dry_breakers(SamplingOptions& sampling, const Tokenizer& tokenizer, std::span<const std::string> texts);

}  // namespace ogas
