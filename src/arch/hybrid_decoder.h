// Decoders with gated DeltaNet in most layers and gated attention in the others: Qwen3-Next and Qwen3.5. Their files
// say what is their own: keys, and whether layers have experts.
//
// Hugging Face stores norms as what they differ from 1 by; GGUF has the sum. The MTP head has a layer with attention.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "arch/decoder.h"
#include "nn/delta_net.h"

namespace ogas {

struct HybridConfig {
  DecoderConfig decoder{};
  AttentionDims attn{};
  RopeParams rope;
  DeltaNetDims delta{};
  FfnDims ffn;                          // with experts in all layers, or in none
  std::vector<bool> is_recurrent = {};  // [n_layer + n_mtp]
  uint32_t n_mtp = 0;                   // layers after the last that predict further tokens
};

// What both have: everything but the sizes of feed-forward blocks.
HybridConfig read_hybrid_config(ConfigReader& reader, const TensorFile& file);
// Experts in all layers, and a shared one in each.
void read_hybrid_experts(ConfigReader& reader, FfnDims& ffn);

struct HybridLayer {
  std::vector<float> attn_norm, ffn_norm;  // [n_embd]
  std::variant<DeltaNet, Attention> mixer;
  FfnLayer ffn;
};

class HybridDecoder : public Decoder {
 public:
  HybridDecoder(std::string_view architecture, const HybridConfig& config);
  // Binds every tensor of the file.
  Result<> bind(const TensorFile& file);

 private:
  struct Workspace {
    AttentionWorkspace attn;
    DeltaNetWorkspace delta;
    FfnWorkspace ffn;
  };

  void add_mixer(TensorTable& table, HybridLayer& layer, bool is_recurrent);
  void add_ffn(TensorTable& table, HybridLayer& layer) const;
  void add_mtp(TensorTable& table);
  void finish(bool is_hf);
  void make_facts(const TensorFile& file, const TensorTable& table);
  void reserve(size_t n_tokens) override;
  ScratchBytes layer_scratch_bytes(const PassLimits& limits) const override;
  Result<> run_layer(const Step& step, uint32_t layer_idx) override;

  HybridConfig config_;
  std::vector<HybridLayer> layers_;
  KvLayout kv_;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace ogas
