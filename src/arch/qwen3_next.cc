// Qwen3-Next: a hybrid decoder with experts in all layers.
#include "arch/architectures.h"
#include "arch/hybrid_decoder.h"

namespace ogas {
namespace {

void refuse_dense_layers(ConfigReader& r, uint32_t n_layer) {
  if (r.count_or({"", "decoder_sparse_step"}, 1, 0, UINT32_MAX) != 1 ||
      !r.integers_or_none({"", "mlp_only_layers"}, n_layer).empty())
    r.refuse(ErrorCode::unsupported, "some layers are without experts; ogas knows this family with experts in all");
}

}  // namespace

Result<std::unique_ptr<Model>> create_qwen3_next(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "qwen3next", overrides);
  HybridConfig c = read_hybrid_config(r, file);
  read_hybrid_experts(r, c.ffn);
  refuse_dense_layers(r, c.decoder.n_layer);
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<HybridDecoder>("qwen3next", c), file);
}

}  // namespace ogas
