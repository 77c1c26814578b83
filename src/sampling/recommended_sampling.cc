#include "sampling/recommended_sampling.h"

#include "sampling/sampling_settings.h"

namespace ogas {
Result<SamplingOptions> recommended_sampling(const TensorFile& file) {
  const Metadata& metadata = file.metadata();
  const bool is_gguf = file.naming() == Naming::gguf;
  SamplingOptions options;
  for (const SamplingSetting& setting : sampling_settings()) {
    if (!setting.is_recommended()) continue;
    const std::string key = is_gguf ? fmt::format("general.sampling.{}", setting.gguf_key)
                                    : fmt::format("generation_config.{}", setting.hf_key);
    if (const auto* real = std::get_if<float SamplingOptions::*>(&setting.member))
      options.*(*real) =
          static_cast<float>(OGAS_TRY(metadata.get_float_or(key, static_cast<double>(options.*(*real)))));
    else if (const auto* whole = std::get_if<uint32_t SamplingOptions::*>(&setting.member))
      options.*(*whole) = static_cast<uint32_t>(OGAS_TRY(metadata.get_uint_or(key, options.*(*whole))));
  }
  if (!OGAS_TRY(metadata.get_bool_or("generation_config.do_sample", true))) options.temperature = 0;
  if (auto valid = options.validate(); !valid)
    return fail(ErrorCode::bad_file, "recommended sampling: {}", valid.error().message);
  return options;
}

}  // namespace ogas
