// Decoders of grouped-query attention and gated feed-forward blocks, each after an RMSNorm: the plan that Llama, Qwen,
// ERNIE, Seed and GLM share. Their files say what is their own: keys, biases, norms, rotation, routing.
#pragma once

#include <memory>
#include <vector>

#include "arch/decoder.h"
#include "nn/ffn_layer.h"

namespace ogas {

struct GqaConfig {
  DecoderConfig decoder{};
  AttentionDims attn{};
  RopeParams rope;
  FfnDims ffn;
  uint32_t n_mtp = 0;                  // MTP heads, each with a layer after the last
  std::vector<bool> has_experts = {};  // [n_layer + n_mtp]; empty: no layer has
};

struct GqaLayer {
  std::vector<float> attn_norm, ffn_norm;            // [n_embd]
  std::vector<float> attn_post_norm, ffn_post_norm;  // [n_embd], of what the blocks add; empty: none
  Attention attn;
  FfnLayer ffn;
};

class GqaDecoder : public Decoder {
 public:
  GqaDecoder(std::string_view architecture, GqaConfig config);
  // Binds every tensor of the file.
  Result<> bind(const TensorFile& file);

 protected:
  // Adds to the table what a layer has in addition to the norms and the four matrices of attention; names are within
  // the layer's. The default adds the feed-forward block, dense or with experts.
  virtual void add_tensors(TensorTable& table, GqaLayer& layer, uint32_t layer_idx);
  // How the layer's tensors begin.
  virtual void begin_layer(TensorTable& table, uint32_t layer_idx) const { table.begin_layer(layer_idx); }
  // What the MTP head has in addition to its layer; called last, under that layer's name.
  virtual void add_mtp(TensorTable& table) { mtp_.add_to(table, c_); }
  // Tensors outside of layers, in addition to embeddings, norm and output.
  virtual void add_more(TensorTable&) {}
  // How the layer's attention rotates.
  virtual const RopeParams& rope_of(uint32_t) const { return config_.rope; }
  // Once bound: what the file has in another form.
  virtual void finish(bool) {}
  virtual TensorName ffn_norm_name() const { return {"ffn_norm.weight", "post_attention_layernorm.weight"}; }
  bool has_experts(uint32_t layer_idx) const { return !config_.has_experts.empty() && config_.has_experts[layer_idx]; }

  Result<> run_layer(const Step& step, uint32_t layer_idx) override;
  void reserve(size_t n_tokens) override;
  ScratchBytes layer_scratch_bytes(const PassLimits& limits) const override;

  GqaConfig config_;
  std::vector<GqaLayer> layers_;

 private:
  struct Workspace {
    AttentionWorkspace attn;
    FfnWorkspace ffn;
  };
  std::unique_ptr<Workspace> workspace_;
};

// What dense models of this plan have: decoder, attention, rotation of whole heads, one feed-forward size.
GqaConfig read_dense_config(ConfigReader& reader, const TensorFile& file, RopeStyle style);

// Every layer from `first` on has experts.
std::vector<bool> experts_from(uint32_t first, uint32_t n_layer);

}  // namespace ogas
