// Qwen2 and 2.5, and the R1 distillations of them: Llama's plan with biases on queries, keys and values.
#include "arch/architectures.h"
#include "arch/gqa_decoder.h"

namespace ogas {
namespace {

class Qwen2 : public GqaDecoder {
 public:
  using GqaDecoder::GqaDecoder;

 private:
  void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx) override {
    GqaDecoder::add_tensors(table, layer, layer_idx);
    layer.attn.add_qkv_bias(table);
  }
};

}  // namespace

Result<std::unique_ptr<Model>> create_qwen2(const TensorFile& file, const ModelOverrides& overrides) {
  ConfigReader r(file, "qwen2", overrides);
  GqaConfig c = read_dense_config(r, file, RopeStyle::half_split);
  if (r.flag_or({"", "use_sliding_window"}, false))
    r.refuse(ErrorCode::unsupported, "use_sliding_window is true; ogas knows this family with full attention");
  OGAS_TRY(r.status());
  return bind_model(std::make_unique<Qwen2>("qwen2", std::move(c)), file);
}

}  // namespace ogas
