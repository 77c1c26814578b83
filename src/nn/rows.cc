#include "nn/rows.h"

#include "base/check.h"

namespace ogas {

void Rows::clear() {
  runs_.clear();
  run_of_row_.clear();
  kinds_.clear();
}

void Rows::add(KvSequence& kv, size_t position, size_t n, RowKind kind) {
  OGAS_CHECK(n > 0 && kv.n_positions() >= position + n, "{} rows at {}; the sequence has {} positions", n, position,
             kv.n_positions());
  run_of_row_.insert(run_of_row_.end(), n, static_cast<uint32_t>(runs_.size()));
  runs_.push_back({&kv, position, kinds_.size(), n, kind});
  kinds_.insert(kinds_.end(), n, kind);
}

const KvStreamView& Rows::stream(KvStreamId id) const { return kv_layout().view(id); }

KvRows Rows::in_stream(KvStreamId id, ScratchArena& arena) const {
  const std::span<KvRun> runs = arena.take<KvRun>(runs_.size());
  for (size_t idx = 0; idx < runs.size(); ++idx) {
    const SequenceRows& run = runs_[idx];
    runs[idx] = {run.kv->pages(id).data(), run.position, run.first_row, run.n_rows, run.kind};
  }
  return {runs, run_of_row_, kinds_};
}

StateRows Rows::with_state(KvStateId id, ScratchArena& arena) const {
  const std::span<StateRun> runs = arena.take<StateRun>(runs_.size());
  for (size_t idx = 0; idx < runs.size(); ++idx) {
    const SequenceRows& run = runs_[idx];
    OGAS_CHECK(run.kv->n_positions() == run.end_position(), "positions {} to {} of {}: a state only goes forward",
               run.position, run.end_position(), run.kv->n_positions());
    runs[idx] = {run.kv->state(id), run.first_row, run.n_rows};
    if (const auto snapshot = run.kv->snapshot_within(id); !snapshot.values.empty()) {
      runs[idx].snapshot = snapshot.values;
      runs[idx].snapshot_row = run.first_row + (snapshot.position - run.position);
    }
  }
  return {runs, run_of_row_, kinds_};
}

}  // namespace ogas
