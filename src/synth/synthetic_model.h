// A GGUF file of a published model's shape with random weights, for measuring without a download: laid out first, then
// any piece of its data by itself, so that files of any size stream through little memory.
//
// Weights keep what flows through the layers of order one: matrices deviate by 1 / sqrt(n_in), those that write into
// the residual stream by 1 / sqrt(n_layer) of that. Answers are words without sense.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "files/gguf_writer.h"
#include "synth/random_blocks.h"
#include "synth/shapes.h"

namespace ogas {

struct SynthOptions {
  uint32_t n_layer = 0;         // 0: all
  std::string type = "Q4_K_M";  // one of synth_types(), in any case
  uint64_t seed = 0;
};

// Q4_K_M, Q4_0, ...
std::vector<std::string> synth_types();

class SyntheticModel {
 public:
  // Errors: usage (a type or number of layers that cannot be).
  static Result<SyntheticModel> create(const ModelShape& shape, const SynthOptions& options);

  const GgufWriter& layout() const { return layout_; }
  uint64_t n_params() const { return n_params_; }
  const std::string& header() const { return header_; }
  uint64_t n_bytes() const { return header_.size() + layout_.data_bytes(); }

  // The data in pieces of at most about 4 MB, each a part of one tensor.
  struct Piece {
    uint32_t tensor_idx;
    uint64_t begin, n_bytes;  // within the tensor
  };
  const std::vector<Piece>& pieces() const { return pieces_; }
  uint64_t offset_of(const Piece& piece) const {  // in the file
    return header_.size() + layout_.tensors()[piece.tensor_idx].offset + piece.begin;
  }
  // out: piece.n_bytes. Any thread may ask for any piece.
  void fill(const Piece& piece, std::span<std::byte> out) const;

 private:
  class Layout;
  struct Content {
    std::optional<RandomBlocks> blocks;  // of a matrix; of a short row of F32 none:
    float mean = 0, width = 0;           // uniform
  };

  GgufWriter layout_;
  std::vector<Content> contents_;  // of each tensor
  uint64_t seed_ = 0, n_params_ = 0;
  std::string header_;
  std::vector<Piece> pieces_;
};

}  // namespace ogas
