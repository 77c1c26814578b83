// Keys and values of past positions, in pages, and the recurrent state of layers that keep no positions.
//
// A page holds kPagePositions consecutive positions of one sequence, for all layers; a sequence is a list of pages, so
// it grows without copying, and later prefixes can be shared page by page. Within a page: [layer][key-value head][keys,
// then values][position][dimension], then the keys of indexers: [layer][position][dimension].
//
// A recurrent layer has one block of numbers a sequence, which each position overwrites: there is no way back to an
// earlier position but through a copy. A sequence holds the state at its end and, where keep() was called, one copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/memory.h"
#include "kernels/ops.h"
#include "quant/format.h"

namespace ogas {

// Formats of few bits keep keys and values rotated (Ops::hadamard): one large value among them would coarsen all the
// others. Queries are rotated as the keys are, and what is attended to is turned back by the same rotation; scores and
// results stay what they were. Ashkboos et al. 2024, QuaRot. Does nothing with formats of more bits.
void rotate_for_cache(const Ops& ops, Format format, float* x, size_t dim, size_t n_heads);

// What the recurrent layers of a model keep of a sequence, however long it is.
struct StateShape {
  uint32_t n_layer = 0;   // recurrent layers; 0: the model has none
  uint64_t n_values = 0;  // floats of one layer's state

  uint64_t bytes() const { return n_layer * n_values * sizeof(float); }
};

// What one position takes, and what a sequence takes beside its positions.
struct KvShape {
  uint32_t n_layer = 0;
  uint32_t n_head_kv = 0;
  uint32_t k_dim = 0;           // values of a key
  uint32_t v_dim = 0;           // values of a value; 0: values are the first part of the keys (absorbed MLA)
  uint32_t index_dim = 0;       // values of an indexer's key, one a layer (DeepSeek-V3.2); 0: there are none
  Format format = Format::f16;  // one of kKvFormats; of blocks that all dimensions are multiples of
  StateShape state = {};

  static constexpr uint32_t kPagePositions = 64;

  uint64_t position_bytes() const { return ((k_bytes() + v_bytes()) * n_head_kv + index_bytes()) * n_layer; }
  uint64_t page_bytes() const { return position_bytes() * kPagePositions; }
  // The most a sequence of n positions takes: keys and values, the state and its copy.
  uint64_t sequence_bytes(uint64_t n) const { return position_bytes() * n + 2 * state.bytes(); }
  // Bytes of one head's key, and of its value, at one position.
  uint64_t k_bytes() const { return facts_of(format).bytes_for(k_dim); }
  uint64_t v_bytes() const { return facts_of(format).bytes_for(v_dim); }
  uint64_t index_bytes() const { return facts_of(format).bytes_for(index_dim); }
  // Bytes from the start of a page to the keys, or values, of its first position.
  uint64_t k_offset(size_t layer_idx, size_t head_idx) const {
    return (layer_idx * n_head_kv + head_idx) * (k_bytes() + v_bytes()) * kPagePositions;
  }
  uint64_t v_offset(size_t layer_idx, size_t head_idx) const {
    return k_offset(layer_idx, head_idx) + (v_dim == 0 ? 0 : k_bytes() * kPagePositions);
  }
  // The same to an indexer's keys.
  uint64_t index_offset(size_t layer_idx) const {
    return k_offset(n_layer, 0) + layer_idx * index_bytes() * kPagePositions;
  }
};

// Where pages come from and go back to. Not thread-safe; must outlive its sequences.
class KvCache {
 public:
  explicit KvCache(const KvShape& shape) : shape_(shape) {}

  const KvShape& shape() const { return shape_; }
  // Bytes of the pages and states that sequences hold.
  uint64_t bytes_used() const { return n_used_ * shape_.page_bytes() + n_states_ * shape_.state.bytes(); }

 private:
  friend class KvSequence;
  std::byte* take();
  void give_back(std::byte* page);

  KvShape shape_;
  std::vector<PageBuffer> pages_;
  std::vector<std::byte*> free_;
  size_t n_used_ = 0;
  size_t n_states_ = 0;  // copies counted
};

class KvSequence {
 public:
  explicit KvSequence(KvCache& cache) : cache_(&cache) {}
  KvSequence(const KvSequence&) = delete;
  KvSequence& operator=(const KvSequence&) = delete;
  ~KvSequence() { truncate(0); }

  const KvShape& shape() const { return cache_->shape(); }
  size_t n_positions() const { return n_positions_; }
  std::span<std::byte* const> pages() const { return pages_; }
  // Adds room for n positions, to be written by the forward pass.
  void extend(size_t n);
  // The last position up to n that truncate() can go back to: n itself without recurrent layers, else the end, the
  // position of the copy, or 0.
  size_t reachable(size_t n) const;
  // Forgets all positions from n on; n must be reachable.
  void truncate(size_t n);
  // Copies the recurrent state as it is now, in place of the copy before. Nothing to do without recurrent layers.
  void keep();
  // Where the keys of a head at a position are; its values at v.
  std::byte* k(size_t layer_idx, size_t head_idx, size_t position) const;
  std::byte* v(size_t layer_idx, size_t head_idx, size_t position) const;
  std::byte* index_key(size_t layer_idx, size_t position) const;
  // The state of a recurrent layer, all zeros before the first position; the layer brings it to the end of what
  // extend() made room for.
  std::span<float> state(size_t layer_idx) const;

 private:
  void take_state(PageBuffer& buffer);
  void drop_state(PageBuffer& buffer);

  KvCache* cache_;
  std::vector<std::byte*> pages_;
  size_t n_positions_ = 0;
  PageBuffer state_, kept_;  // [layer][value]; empty: not there
  size_t kept_position_ = 0;
};

}  // namespace ogas
