// The architectures, one file each; registry.cc says by which names files call them.
#pragma once

#include "arch/model.h"
#include "arch/model_overrides.h"
#include "files/tensor_file.h"

namespace ogas {

// Binds and validates every tensor. Errors: bad_file (keys, missing or misshapen tensors), unsupported (variants),
// usage (overrides that a model with experts cannot have).
Result<std::unique_ptr<Model>> create_llama(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_qwen2(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_qwen3(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_qwen3_moe(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_qwen3_next(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_qwen3_5(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_qwen3_5_moe(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_ernie4_5(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_ernie4_5_moe(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_seed_oss(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_glm4_moe(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_gemma3(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_gpt_oss(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_deepseek(const TensorFile& file, const ModelOverrides& overrides);
Result<std::unique_ptr<Model>> create_deepseek_v32(const TensorFile& file, const ModelOverrides& overrides);

}  // namespace ogas
