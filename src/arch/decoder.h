// What decoders have around their layers: embedding, layers in order, final norm, logits. An architecture derives from
// Decoder and says what a layer does.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

#include "arch/config_reader.h"
#include "arch/model.h"
#include "nn/attention.h"
#include "nn/embeddings.h"
#include "nn/ffn_layer.h"
#include "nn/tensor_table.h"
#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/rope.h"
#include "ops/router.h"

namespace ogas {

struct DecoderConfig {
  uint32_t n_vocab, n_ctx_train, n_embd, n_layer;
  float rms_eps;
  bool is_tied;  // the embeddings are the output matrix, too
};

// block_count, context_length, embedding_length, layer_norm_rms_epsilon; the vocabulary is that of the embeddings.
DecoderConfig read_decoder_config(ConfigReader& reader, const TensorFile& file);
// head_count, head_count_kv, key_length. Errors: head counts that do not divide, keys and values of different sizes.
AttentionDims read_attention_dims(ConfigReader& reader, uint32_t n_embd);
// Base and scaling of the rotation of n_rot dimensions.
RopeParams read_rope(ConfigReader& reader, uint32_t n_rot, RopeStyle style);
// expert_count, expert_used_count and the reader's overrides of them, with what is usual for the rest. Errors: usage
// (overrides).
RouterRules read_router_counts(ConfigReader& reader, ConfigKey n_expert, ConfigKey n_used);
// expert_group_count, expert_group_used_count. Errors: groups of unequal size, or too few experts in those used.
void read_router_groups(ConfigReader& reader, RouterRules& rules);
// Families whose layers are of two kinds: with full attention, or `other`. How their files say which are which.
struct LayerKinds {
  std::string_view other;      // as layer_types of Hugging Face names it
  uint32_t every;              // where no list says so, every n-th layer has full attention
  ConfigKey flags = {};        // a list that says of each layer whether it is of the other kind; empty: there is none
  uint32_t n_extra_flags = 0;  // entries of that list after those of the layers, of MTP heads
};
// Whether each layer is of the other kind [n_layer]. Errors: lists that do not name each layer, or another type.
std::vector<bool> read_layer_kinds(ConfigReader& reader, uint32_t n_layer, const LayerKinds& kinds);
// Positions that each layer sees [n_layer], of which some have a window; 0: all.
std::vector<uint32_t> windows_of(const std::vector<bool>& has_window, uint32_t window);
// For families that are known without biases in attention. Errors: unsupported, where the file has them.
void refuse_attention_bias(ConfigReader& reader);
// Norms that Hugging Face stores as what their weights differ from 1 by.
void add_one(std::initializer_list<std::vector<float>*> norms);

// MTP heads, each with a layer after the last: 0 or 1. GGUF counts these layers, too; n_layer then loses them. 0 where
// the file was published without their tensors. hf_proj: what Hugging Face calls eh_proj, if not by layer.
uint32_t read_n_mtp(ConfigReader& reader, const TensorFile& file, uint32_t& n_layer, std::string_view hf_proj = {});

struct DecoderWeights {
  Embeddings token_embd;           // [n_vocab, n_embd]
  std::vector<float> output_norm;  // [n_embd]
  Linear output;                   // [n_vocab, n_embd]; token_embd itself where they are tied

  void add_to(TensorTable& table, const DecoderConfig& c);
};

// What Hugging Face calls the tensors of an MTP head, after the name of its layer or block.
struct MtpHfNames {
  std::string_view enorm = "enorm.weight", hnorm = "hnorm.weight", eh_proj = "eh_proj.weight",
                   output_norm = "shared_head.norm.weight";
};

// An MTP head: norms of the next token's embedding and of the last hidden state, a matrix that
// brings both together, a layer, and output (DeepSeek-V3 technical report, eq. 21 to 23).
struct MtpHead {
  std::vector<float> enorm, hnorm;  // [n_embd]
  Linear eh_proj;                   // [n_embd, 2 n_embd]
  std::vector<float> output_norm;   // [n_embd]; the main model's where empty
  Embeddings token_embd;            // [n_vocab, n_embd], and output: the main model's where the file has none of
  Linear output;                    // its own
  bool reads_normed = true;         // hidden states after the final norm, or as the last layer left them (ERNIE)

  // Under the name of the layer; the layer's own tensors are the architecture's to add.
  void add_to(TensorTable& table, const DecoderConfig& c, const MtpHfNames& hf = {});
};

// Rows of n_embd that all layers work on.
struct HiddenWorkspace {
  HiddenWorkspace(const DecoderConfig& c, size_t n_batch, const Ropes& ropes)
      : hidden(n_batch, c.n_embd), delta(n_batch, c.n_embd), normed(n_batch, c.n_embd), angles(ropes, n_batch) {}
  static uint64_t bytes_per_token(const DecoderConfig& c, const Ropes& ropes) {
    return (2 * uint64_t{c.n_embd} + ropes.n_rot()) * sizeof(float) + Activations::bytes_for(c.n_embd);
  }

  Matrix hidden, delta;
  Activations normed;
  RopeAngles angles;
};

class Decoder : public Model, private PassSource {
 public:
  const ModelFacts& facts() const override { return facts_; }
  std::span<Linear* const> linears() const override { return linears_; }
  std::span<Moe* const> moes() const override { return moes_; }
  std::vector<Embeddings*> embeddings() override { return {&w_.token_embd, &mtp_.token_embd}; }
  ScratchBytes scratch_bytes(const PassLimits& limits) const override {
    return max({.per_thread = ScratchArena::bytes_for<float>(c_.n_embd)}, layer_scratch_bytes(limits));
  }
  std::span<const TensorShard> shards() const override { return shards_; }
  std::span<const Linear* const> linears_of_token() const override { return linears_of_token_; }
  Result<Pass> forward(Exec& exec, Batch batch) override;

 protected:
  // A forward pass that is being computed.
  struct Step {
    Exec& exec;
    const Rows& rows;
    size_t n_tokens;
    HiddenWorkspace& s;
  };

  explicit Decoder(const DecoderConfig& config) : c_(config) {}

  // Reads and writes step.s.hidden. Layer n_layer is that of the MTP head. Errors: io, where its experts are on disk.
  virtual Result<> run_layer(const Step& step, uint32_t layer_idx) = 0;
  // Makes room for batches of n_tokens.
  virtual void reserve(size_t n_tokens) = 0;
  // Model::scratch_bytes of layers.
  virtual ScratchBytes layer_scratch_bytes(const PassLimits& limits) const = 0;

  // What differs between decoders around their layers; the defaults are what most of them do.
  // Row t of y = the hidden state of token t before the first layer: its row of these embeddings. Errors: io, where
  // they are on disk.
  virtual Result<> embed(const Step& step, const Embeddings& embeddings, std::span<const TokenId> tokens,
                         const Matrix& y) const;
  // hidden += delta, which is what a block made; through an RMSNorm of its own unless post_norm is empty.
  virtual void add_residual(const Step& step, const std::vector<float>& post_norm);
  // Logits [n, n_vocab] of the first n rows of step.s.normed.
  virtual void make_logits(const Step& step, const Linear& output, size_t n, const Matrix& logits);

  // hidden += block(RMSNorm(hidden)), summed over all ranks; block() writes this rank's part to step.s.delta and may
  // fail. Errors: the block's; those of Comm.
  template <class Block>
  Result<> add_block(const Step& step, const std::vector<float>& norm, const Block& block,
                     const std::vector<float>& post_norm = {}) {
    rms_norm_hidden(step, norm);
    if constexpr (std::is_void_v<std::invoke_result_t<const Block&>>)
      block();
    else
      OGAS_TRY(block());
    OGAS_TRY(step.exec.comm.all_reduce(step.s.delta, step.n_tokens));
    add_residual(step, post_norm);
    return {};
  }
  // Of ModelFacts::token_bytes what lies between blocks, and what the MTP head takes if there is one (facts_.n_mtp).
  uint64_t hidden_bytes_per_token() const;
  AttentionCall attention_call(const Step& step) const {
    return {.rows = step.rows, .angles = step.s.angles, .x = step.s.normed, .y = step.s.delta};
  }

  DecoderConfig c_;
  Ropes ropes_;
  DecoderWeights w_;
  MtpHead mtp_;
  ModelFacts facts_;
  std::vector<Linear*> linears_;
  std::vector<Moe*> moes_;
  std::vector<const Linear*> linears_of_token_;
  std::vector<TensorShard> shards_;

 private:
  std::span<const float> hidden_of(Exec& exec, std::span<const uint32_t> rows) override;
  std::span<const float> logits_of(Exec& exec, std::span<const uint32_t> rows) override;
  Result<std::span<const float>> draft(Exec& exec, std::span<const DraftPart> parts) override;

  void take_rows(Batch batch);
  // Of the rows' positions, shift further on.
  void prepare_angles(const Step& step, size_t shift);
  void rms_norm_hidden(const Step& step, const std::vector<float>& norm);
  // Of some rows of hidden, which stays as it is.
  std::span<const float> run_head(const Step& step, const std::vector<float>& norm, const Linear& output,
                                  std::span<const uint32_t> rows, Matrix& logits);
  void take_draft_rows(std::span<const DraftPart> parts);
  Result<> embed_drafts(const Step& step);

  std::unique_ptr<HiddenWorkspace> workspace_;
  Rows rows_;
  std::vector<TokenId> tokens_;        // [rows]
  std::vector<size_t> positions_;      // [rows]
  std::vector<uint32_t> logits_rows_;  // those whose logits are wanted
  std::vector<uint32_t> logits_ends_;  // [parts]: where a part's rows end in these
  std::vector<RowKind> logits_kinds_;
  Matrix logits_, more_logits_;

  // Of the MTP head, which leaves the pass as it is: rows, the tokens that follow, and the rows of the pass they are.
  struct Drafts {
    Rows rows;
    std::vector<TokenId> tokens;
    std::vector<uint32_t> pass_rows, logits_rows;
    std::unique_ptr<HiddenWorkspace> workspace;
    Activations input;
    Matrix logits;
  };
  Drafts drafts_;
};

template <class Architecture>
Result<std::unique_ptr<Model>> bind_model(std::unique_ptr<Architecture> model, const TensorFile& file) {
  OGAS_TRY(model->bind(file));
  return model;
}

// Facts that follow from config and bound table; the architecture adds what is its own.
ModelFacts decoder_facts(std::string architecture, const TensorFile& file, const DecoderConfig& c,
                         const AttentionDims& dims, const TensorTable& table);
// Those of a model with routed experts.
void add_expert_facts(ModelFacts& facts, const TensorTable& table, const FfnDims& ffn, std::span<Moe* const> moes);

}  // namespace ogas
