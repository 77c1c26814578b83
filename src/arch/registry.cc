#include "arch/registry.h"

#include <algorithm>
#include <iterator>

#include "arch/architectures.h"
#include "base/quote.h"

namespace ogas {
namespace {

// By the name in GGUF's general.architecture and in config.json's model_type.
struct Architecture {
  std::string_view gguf, hf;
  Result<std::unique_ptr<Model>> (*create)(const TensorFile& file, const ModelOverrides& overrides);
};

constexpr Architecture kArchitectures[] = {
    {"llama", "llama", create_llama},
    {"qwen2", "qwen2", create_qwen2},
    {"qwen3", "qwen3", create_qwen3},
    {"qwen3moe", "qwen3_moe", create_qwen3_moe},
    {"qwen3next", "qwen3_next", create_qwen3_next},
    {"qwen35", "qwen3_5", create_qwen3_5},
    {"qwen35", "qwen3_5_text", create_qwen3_5},
    {"qwen35moe", "qwen3_5_moe", create_qwen3_5_moe},
    {"qwen35moe", "qwen3_5_moe_text", create_qwen3_5_moe},
    {"ernie4_5", "ernie4_5", create_ernie4_5},
    {"ernie4_5-moe", "ernie4_5_moe", create_ernie4_5_moe},
    {"seed_oss", "seed_oss", create_seed_oss},
    {"glm4moe", "glm4_moe", create_glm4_moe},
    {"gemma3", "gemma3", create_gemma3},
    {"gemma3", "gemma3_text", create_gemma3},
    {"gpt-oss", "gpt_oss", create_gpt_oss},
    {"deepseek2", "deepseek_v2", create_deepseek},
    {"deepseek2", "deepseek_v3", create_deepseek},
    {"deepseek32", "deepseek_v32", create_deepseek_v32},
};

}  // namespace

std::vector<std::string_view> known_architectures(Naming naming) {
  std::vector<std::string_view> names;
  for (const Architecture& architecture : kArchitectures) {
    const std::string_view name = naming == Naming::gguf ? architecture.gguf : architecture.hf;
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);  // several of one have the same in GGUF
  }
  return names;
}

Result<std::unique_ptr<Model>> create_model(const TensorFile& file, const ModelOverrides& overrides) {
  const bool is_gguf = file.naming() == Naming::gguf;
  const auto name = OGAS_TRY(file.metadata().get_string(is_gguf ? "general.architecture" : "model_type"));
  const auto* found = std::ranges::find(kArchitectures, name, is_gguf ? &Architecture::gguf : &Architecture::hf);
  if (found == std::end(kArchitectures))
    return fail(ErrorCode::unsupported, "architecture {} is not one ogas knows; it knows: {}", in_quotes(name),
                fmt::join(known_architectures(file.naming()), ", "));
  auto model = OGAS_TRY(found->create(file, overrides));
  if (overrides.takes_fewer_experts() && model->moes().empty())
    return fail(ErrorCode::usage, "this model has no experts to take fewer of");
  return model;
}

}  // namespace ogas
