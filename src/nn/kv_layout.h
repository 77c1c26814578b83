// What the layers of a model keep of a sequence, declared by the blocks as they declare their tensors in TensorTable.
// Page layout, memory plan, prefix keys and snapshots follow from it.
//
// A page holds kPagePositions consecutive positions of all streams of its kind: [stream][head][keys, then
// values][entry][dimension].
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ops/kv_view.h"
#include "quant/format.h"

namespace ogas {

// Names a stream, and a state, of a layout. A layer that reads what another one stores has the same id.
struct KvStreamId {
  uint32_t idx = UINT32_MAX;
};
struct KvStateId {
  uint32_t idx = UINT32_MAX;
};

// What a layer stores for each position, or for a few positions together: keys of some heads and their values.
struct KvStream {
  uint32_t n_heads = 1;
  uint32_t k_dim = 0;                // values of a key
  uint32_t v_dim = 0;                // values of a value; 0: values are a part of the keys (absorbed MLA), or unused
  uint32_t window = 0;               // positions a token sees, itself included; 0: all
  uint32_t positions_per_entry = 1;  // divides kPagePositions
};

// Pages of streams in which a token sees all positions, and pages of those within a window. A sequence gives the latter
// back once no window reaches them any more.
enum class KvPageKind : uint8_t { full, window };

class KvLayout {
 public:
  static constexpr uint32_t kPagePositions = 64;
  // Pages that hold positions 0 to n - 1.
  static uint64_t pages_for(uint64_t n) { return (n + kPagePositions - 1) / kPagePositions; }

  KvStreamId add(const KvStream& stream);
  // Floats that a recurrent layer keeps of a sequence, however long it is.
  KvStateId add_state(uint64_t n_values);
  // What keys and values are stored as: one of kKvFormats. Errors (usage): another format, or one whose blocks do not
  // divide a dimension.
  Result<> set_format(Format format);
  Format format() const { return format_; }

  std::span<const KvStream> streams() const { return streams_; }
  size_t n_states() const { return state_values_.size(); }
  const KvStream& stream(KvStreamId id) const { return streams_[id.idx]; }
  uint64_t state_values(KvStateId id) const { return state_values_[id.idx]; }
  // Floats before a state, where all lie together.
  uint64_t state_offset(KvStateId id) const { return state_offsets_[id.idx]; }

  // Bytes of one head's key, and of its value, in an entry.
  uint64_t k_bytes(KvStreamId id) const { return facts_of(format_).bytes_for(stream(id).k_dim); }
  uint64_t v_bytes(KvStreamId id) const { return facts_of(format_).bytes_for(stream(id).v_dim); }
  // Bytes from the start of a page of its kind to a head's keys, or values. Values that are a part of the keys begin
  // with them.
  uint64_t k_offset(KvStreamId id, size_t head_idx) const {
    return offsets_[id.idx] + head_idx * (k_bytes(id) + v_bytes(id)) * n_entries(id);
  }
  uint64_t v_offset(KvStreamId id, size_t head_idx) const {
    return k_offset(id, head_idx) + (stream(id).v_dim == 0 ? 0 : k_bytes(id) * n_entries(id));
  }

  // What operations need to know of a stream, one position an entry, to find keys and values in its pages.
  const KvStreamView& view(KvStreamId id) const;

  // The kinds of pages that a sequence has: always full ones.
  std::span<const KvPageKind> page_kinds() const;
  static KvPageKind kind_of(const KvStream& stream) {
    return stream.window > 0 ? KvPageKind::window : KvPageKind::full;
  }
  KvPageKind kind_of(KvStreamId id) const { return kind_of(stream(id)); }
  uint64_t page_bytes(KvPageKind kind) const { return page_bytes_[static_cast<size_t>(kind)]; }
  // Of one page of each kind.
  uint64_t page_bytes() const { return page_bytes(KvPageKind::full) + page_bytes(KvPageKind::window); }
  // Bytes of all streams at one position, on average.
  uint64_t position_bytes() const { return page_bytes() / kPagePositions; }
  // Bytes of keys and values that a token at this position reads, its own not counted.
  uint64_t read_bytes(uint64_t position) const;

  // Positions that a token sees in the widest of the windows, itself included; 0: there are none.
  uint32_t window() const { return window_; }
  // The first page that windows of a token at this position, or of a later one, reach.
  size_t first_window_page(size_t position) const {
    return (position + 1 > window_ ? position + 1 - window_ : 0) / kPagePositions;
  }
  // Pages of windows that a sequence needs to continue at this position.
  size_t n_window_pages(size_t position) const;

  // Whether a sequence can only continue where a snapshot says what its pages do not: with recurrent layers or windows.
  bool needs_snapshots() const { return n_state_values_ > 0 || window_ > 0; }
  // Bytes of all states.
  uint64_t state_bytes() const { return n_state_values_ * sizeof(float); }
  // Bytes of a snapshot at most: all states, and the pages that windows reach.
  uint64_t snapshot_bytes() const;
  // Bytes of the pages that a sequence of n positions takes at most, which is computed n_batch positions at a time.
  uint64_t bytes_of_pages(uint64_t n, uint64_t n_batch) const;
  // The largest number of positions, up to max, whose pages take no more than these bytes with bytes_a_page added for
  // each page of positions.
  uint64_t positions_within(uint64_t bytes, uint64_t n_batch, uint64_t bytes_a_page, uint64_t max) const;
  // Bytes of such a sequence at most: its pages, the states and a snapshot of these.
  uint64_t sequence_bytes(uint64_t n, uint64_t n_batch) const { return bytes_of_pages(n, n_batch) + 2 * state_bytes(); }
  // Describes everything above, so that different layouts have different descriptions.
  std::string describe() const;

 private:
  uint64_t n_entries(KvStreamId id) const { return kPagePositions / stream(id).positions_per_entry; }
  void place_streams();

  Format format_ = Format::f16;
  std::vector<KvStream> streams_;
  std::vector<uint64_t> offsets_;  // of each stream in a page of its kind
  std::vector<KvStreamView> views_;
  std::vector<uint64_t> state_values_, state_offsets_;
  std::array<uint64_t, 2> page_bytes_ = {};  // [KvPageKind]
  uint32_t window_ = 0;
  uint64_t n_state_values_ = 0;
};

}  // namespace ogas
