#include "engine/recommended_sampling.h"

namespace ogas {
namespace {

struct SamplingKeys {
  std::string_view temperature, top_k, top_p, min_p, repetition_penalty;
};

constexpr SamplingKeys kGgufKeys = {
    .temperature = "general.sampling.temp",
    .top_k = "general.sampling.top_k",
    .top_p = "general.sampling.top_p",
    .min_p = "general.sampling.min_p",
    .repetition_penalty = "general.sampling.penalty_repeat",
};
constexpr SamplingKeys kHubKeys = {
    .temperature = "generation_config.temperature",
    .top_k = "generation_config.top_k",
    .top_p = "generation_config.top_p",
    .min_p = "generation_config.min_p",
    .repetition_penalty = "generation_config.repetition_penalty",
};

}  // namespace

Result<SamplingOptions> recommended_sampling(const TensorFile& file) {
  const Metadata& metadata = file.metadata();
  const SamplingKeys& keys = file.naming() == Naming::gguf ? kGgufKeys : kHubKeys;
  SamplingOptions options;
  const auto read = [&](std::string_view key, float& value) -> Result<> {
    value = static_cast<float>(OGAS_TRY(metadata.get_float_or(key, static_cast<double>(value))));
    return {};
  };
  OGAS_TRY(read(keys.temperature, options.temperature));
  OGAS_TRY(read(keys.top_p, options.top_p));
  OGAS_TRY(read(keys.min_p, options.min_p));
  OGAS_TRY(read(keys.repetition_penalty, options.repetition_penalty));
  options.top_k = static_cast<uint32_t>(OGAS_TRY(metadata.get_uint_or(keys.top_k, options.top_k)));
  if (!OGAS_TRY(metadata.get_bool_or("generation_config.do_sample", true))) options.temperature = 0;
  if (auto valid = options.validate(); !valid)
    return fail(ErrorCode::bad_file, "recommended sampling: {}", valid.error().message);
  return options;
}

}  // namespace ogas
