// Keys and values of past positions, in pages.
//
// A page holds kPagePositions consecutive positions of one sequence, for all layers; a sequence is a list of pages, so
// it grows without copying, and later prefixes can be shared page by page. Within a page: [layer][key-value head][keys,
// then values][position][dimension], then the keys of indexers: [layer][position][dimension].
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/memory.h"
#include "quant/format.h"

namespace ogas {

// What one position takes.
struct KvShape {
  uint32_t n_layer = 0;
  uint32_t n_head_kv = 0;
  uint32_t k_dim = 0;           // values of a key
  uint32_t v_dim = 0;           // values of a value; 0: values are the first part of the keys (absorbed MLA)
  uint32_t index_dim = 0;       // values of an indexer's key, one a layer (DeepSeek-V3.2); 0: there are none
  Format format = Format::f16;  // f16 or f32

  static constexpr uint32_t kPagePositions = 64;

  uint64_t position_bytes() const { return ((k_bytes() + v_bytes()) * n_head_kv + index_bytes()) * n_layer; }
  uint64_t page_bytes() const { return position_bytes() * kPagePositions; }
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
  // Bytes of the pages that sequences hold.
  uint64_t bytes_used() const { return n_used_ * shape_.page_bytes(); }

 private:
  friend class KvSequence;
  std::byte* take();
  void give_back(std::byte* page);

  KvShape shape_;
  std::vector<PageBuffer> pages_;
  std::vector<std::byte*> free_;
  size_t n_used_ = 0;
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
  // Forgets all positions from n on.
  void truncate(size_t n);
  // Where the keys of a head at a position are; its values at v.
  std::byte* k(size_t layer_idx, size_t head_idx, size_t position) const;
  std::byte* v(size_t layer_idx, size_t head_idx, size_t position) const;
  std::byte* index_key(size_t layer_idx, size_t position) const;

 private:
  KvCache* cache_;
  std::vector<std::byte*> pages_;
  size_t n_positions_ = 0;
};

}  // namespace ogas
