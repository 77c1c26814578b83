// The one list of what an architecture reads from its file: names, shapes, where each tensor goes, and how it would be
// divided among ranks. Binding, validation and the forecast of sizes all follow from it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "files/tensor_file.h"
#include "nn/shard.h"
#include "nn/weight_work.h"
#include "ops/linear.h"

namespace ogas {

struct Moe;

// How a tensor is called in GGUF files and on Hugging Face. An empty name: there is no such tensor there.
struct TensorName {
  std::string_view gguf, hf;
};

// Matrices [n_out, n_in] of all experts in one tensor, [n_expert, n_out * n_parts, n_in].
struct ExpertStack {
  uint64_t n_expert, n_out, n_in;
  uint64_t part = 0, n_parts = 1;  // rows of n_parts matrices are interleaved; these are those of `part`
  bool is_transposed = false;      // the tensor is [n_expert, n_in, n_out * n_parts], in a plain format
  bool has_blocks = false;         // all rows of a part are together instead, one part after the other
};

class TensorTable {
 public:
  explicit TensorTable(const TensorFile& file) : file_(file) {}

  // Names from here on begin with "blk.N." and "model.layers.N.", or other names; after end_layers() they are whole
  // again.
  void begin_layer(uint32_t layer_idx);
  void begin_block(const TensorName& name) { gguf_prefix_ = name.gguf, hf_prefix_ = name.hf; }
  void end_layers() { gguf_prefix_ = hf_prefix_ = {}; }
  // What is added from here on belongs to the MTP head, which an ordinary pass does not read.
  void begin_head() { is_head_ = true; }

  bool is_hf() const { return file_.naming() == Naming::hf; }
  // Whether the file has a tensor of this name.
  bool has(const TensorName& name) const;

  // A matrix [n_out, n_in] of any format, left where it is mapped.
  void linear(const TensorName& name, Linear& destination, uint64_t n_out, uint64_t n_in, const Shard& shard);
  // The same for the matrix that makes logits, which not every token needs.
  void output(const TensorName& name, Linear& destination, uint64_t n_out, uint64_t n_in, const Shard& shard);
  // A matrix of which only rows are looked up, never multiplied with.
  void embeddings(const TensorName& name, Linear& destination, uint64_t n_rows, uint64_t n_cols, const Shard& shard);
  // A short row of n numbers in a plain format (norm weights, biases), copied out as floats.
  void vector(const TensorName& name, std::vector<float>& destination, uint64_t n, const Shard& shard);
  // A small matrix [n_rows, n_cols] in a plain format, copied out as floats.
  void copy(const TensorName& name, std::vector<float>& destination, uint64_t n_rows, uint64_t n_cols,
            const Shard& shard);
  // One matrix [n_out, n_in] for each expert. GGUF stacks them in one tensor [n_expert, n_out, n_in]; on Hugging
  // Face each has its own, and the name has "{}" for its number.
  void experts(const TensorName& name, std::vector<Linear>& destination, uint64_t n_expert, uint64_t n_out,
               uint64_t n_in, const Shard& shard);
  // One matrix for each expert, stacked in one tensor in both worlds. Several parts may be taken from it.
  void stacked(const TensorName& name, std::vector<Linear>& destination, const ExpertStack& stack, const Shard& shard);
  // One matrix for each head of attention, stacked in the same way; a token takes all of them.
  void heads(const TensorName& name, std::vector<Linear>& destination, const ExpertStack& stack, const Shard& shard);
  // The biases of experts' matrices, [n_expert, n_out * n_parts] in a plain format, copied out as floats [n_expert,
  // n_out].
  void stacked_bias(const TensorName& name, std::vector<float>& destination, const ExpertStack& stack,
                    const Shard& shard);
  // A layer whose experts are among the tensors above.
  void moe(Moe& layer) { moes_.push_back(&layer); }
  // A tensor that files carry and nothing here needs: frequencies of rotations, for one, which follow from the config.
  void ignore(const TensorName& name);

  // Fills every destination. Axes of length 1 do not count: a file may have a row as [1, n].
  // Errors (bad_file): a tensor is missing or has another shape; (unsupported): a short row in
  // a block format, or the file holds a tensor that is not in the table: ignoring weights would give wrong answers.
  Result<> bind();

  // All matrices that are multiplied with: destinations of linear(), output(), experts(), stacked() and heads(); and
  // embeddings that are the output's rows, too, so that both become the same panels. After bind().
  std::vector<Linear*> linears() const;
  // Layers with experts, in their order.
  const std::vector<Moe*>& moes() const { return moes_; }
  // How every tensor of the table is divided; one that two entries read may occur twice.
  std::vector<TensorShard> shards() const;
  // Those that one token is multiplied with, as if it took the first n_expert_used experts of each layer.
  std::vector<const Linear*> linears_of_token(uint32_t n_expert_used) const;
  // After bind().
  const WeightWork& work() const { return work_; }
  // After bind(): numbers in the bound tensors, of these in experts, and the bytes all take.
  uint64_t n_params() const { return n_params_; }
  uint64_t n_expert_params() const { return n_expert_params_; }
  uint64_t n_bytes() const { return n_bytes_; }

 private:
  // Where a tensor goes; nowhere if it is ignored.
  struct Stacked {
    std::vector<Linear>* matrices;
    ExpertStack stack;
    bool is_heads;  // of heads, not of experts
  };
  struct Floats {
    std::vector<float>* values;
    uint64_t part = 0, n_parts = 1;  // numbers of n_parts are interleaved
  };
  struct OfExpert {
    std::vector<Linear>* experts;
    size_t expert_idx;
  };
  // What a matrix by itself is for.
  enum class Role : uint8_t { multiplied, output, embeddings };
  struct Weights {
    Linear* linear;
    Role role;
  };
  // Whether an output() has this full name.
  bool makes_logits(std::string_view name) const;
  using Destination = std::variant<std::monostate, Weights, Floats, Stacked, OfExpert>;
  struct Entry {
    std::string name;
    Shape shape;
    Destination destination;
    bool is_head;                                     // of the MTP head
    uint64_t n_matrices = 0, n_rows = 0, n_cols = 0;  // as in TensorShard; 0: it is ignored
    Shard shard = {};
  };

  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  static bool is_expert(const Destination& destination);
  void add_work();

  std::string full_name(const TensorName& name) const;
  static Result<> bind_stack(const Stacked& stacked, const TensorInfo& tensor);
  static Result<> bind_floats(const Floats& floats, const TensorInfo& tensor);
  static Result<> bind_entry(const Entry& entry, const TensorInfo& tensor);

  const TensorFile& file_;
  std::string gguf_prefix_, hf_prefix_;
  std::vector<Entry> entries_;
  bool is_head_ = false;
  std::vector<Moe*> moes_;
  WeightWork work_;
  uint64_t n_params_ = 0;
  uint64_t n_expert_params_ = 0;
  uint64_t n_bytes_ = 0;
};

}  // namespace ogas
