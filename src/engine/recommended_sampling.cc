#include "engine/recommended_sampling.h"

namespace ogas {
Result<SamplingOptions> recommended_sampling(const TensorFile& file) {
  const Metadata& metadata = file.metadata();
  const bool is_gguf = file.naming() == Naming::gguf;
  SamplingOptions options;
  const auto read = [&](std::string_view gguf, std::string_view hub, float& value) -> Result<> {
    value = static_cast<float>(OGAS_TRY(metadata.get_float_or(is_gguf ? gguf : hub, static_cast<double>(value))));
    return {};
  };
  OGAS_TRY(read("general.sampling.temp", "generation_config.temperature", options.temperature));
  OGAS_TRY(read("general.sampling.top_p", "generation_config.top_p", options.top_p));
  OGAS_TRY(read("general.sampling.min_p", "generation_config.min_p", options.min_p));
  OGAS_TRY(read("general.sampling.penalty_repeat", "generation_config.repetition_penalty", options.repetition_penalty));
  const std::string_view top_k = is_gguf ? "general.sampling.top_k" : "generation_config.top_k";
  options.top_k = static_cast<uint32_t>(OGAS_TRY(metadata.get_uint_or(top_k, options.top_k)));
  if (!OGAS_TRY(metadata.get_bool_or("generation_config.do_sample", true))) options.temperature = 0;
  if (auto valid = options.validate(); !valid)
    return fail(ErrorCode::bad_file, "recommended sampling: {}", valid.error().message);
  return options;
}

}  // namespace ogas
