// How a model's publisher wants it sampled.
#pragma once

#include "files/tensor_file.h"
#include "sampling/sampling_options.h"

namespace ogas {

// From generation_config.json, or GGUF's general.sampling.*: temperature, top_k, top_p, min_p, repetition_penalty; the
// usual values for what is not there, and greedy where "do_sample" is false. Errors: bad_file, naming the key, for
// values of another type or out of range.
Result<SamplingOptions> recommended_sampling(const TensorFile& file);

}  // namespace ogas
