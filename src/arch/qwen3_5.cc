// Qwen3.5 and 3.6, dense and with experts, their text part: hybrid decoders. Positions of text are the same number in
// all sections of the rotation (M-RoPE), which is then the usual one.
#include "arch/architectures.h"
#include "arch/hybrid_decoder.h"

namespace ogas {
namespace {

HybridConfig read_qwen3_5_config(ConfigReader& r, const TensorFile& file) {
  HybridConfig c = read_hybrid_config(r, file);
  c.delta.is_tiled = !r.is_hf();
  if (!r.flag_or({"", "attn_output_gate"}, true))
    r.refuse(ErrorCode::unsupported, "attn_output_gate is false; ogas knows this family with gates");
  if (r.flag_or({"", "mtp_use_dedicated_embeddings"}, false))
    r.refuse(ErrorCode::unsupported, "mtp_use_dedicated_embeddings is true; ogas knows this family without");
  return c;
}

}  // namespace

Result<std::unique_ptr<Model>> create_qwen3_5(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "qwen35", overrides);
  HybridConfig c = read_qwen3_5_config(r, file);
  c.ffn.n_ff = r.count({"feed_forward_length", "intermediate_size"}, 1, 1U << 24);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<HybridDecoder>("qwen35", c), file);
}

Result<std::unique_ptr<Model>> create_qwen3_5_moe(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "qwen35moe", overrides);
  HybridConfig c = read_qwen3_5_config(r, file);
  read_hybrid_experts(r, c.ffn);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<HybridDecoder>("qwen35moe", c), file);
}

}  // namespace ogas
