// Which positions of which sequences the rows of a batch are.
//
// One pass computes rows of several sequences. What works on single rows (norms, matrix products, experts) need not
// know; attention and recurrent layers ask here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nn/kv_cache.h"
#include "ops/delta_rule.h"
#include "ops/kv_view.h"
#include "ops/row_kind.h"
#include "ops/scratch.h"

namespace ogas {

// Consecutive rows that are consecutive positions of one sequence.
struct SequenceRows {
  KvSequence* kv;  // has space for position + n_rows
  size_t position;
  size_t first_row, n_rows;
  RowKind kind;

  size_t end_row() const { return first_row + n_rows; }
  size_t end_position() const { return position + n_rows; }
};

class Rows {
 public:
  void clear();
  // The next n rows.
  void add(KvSequence& kv, size_t position, size_t n, RowKind kind);

  size_t size() const { return kinds_.size(); }
  std::span<const RowKind> kinds() const { return kinds_; }
  std::span<const SequenceRows> runs() const { return runs_; }
  const SequenceRows& run_of(size_t row) const { return runs_[run_of_row_[row]]; }
  KvSequence& kv(size_t row) const { return *run_of(row).kv; }
  size_t position(size_t row) const { return run_of(row).position + (row - run_of(row).first_row); }
  // Of the cache that all sequences share.
  const KvLayout& kv_layout() const { return runs_.front().kv->layout(); }
  // What operations need to know of one of its streams, and of the rows; the runs lie in the arena.
  const KvStreamView& stream(KvStreamId id) const;
  KvRows in_stream(KvStreamId id, ScratchArena& arena) const;
  // The same of one of its states. Each run must be the last positions that its sequence has space for.
  StateRows with_state(KvStateId id, ScratchArena& arena) const;

 private:
  std::vector<SequenceRows> runs_;
  std::vector<uint32_t> run_of_row_;
  std::vector<RowKind> kinds_;
};

}  // namespace ogas
