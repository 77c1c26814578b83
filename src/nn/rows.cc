#include "nn/rows.h"

#include <algorithm>

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

std::span<const RowRange> split_rows(const Rows& rows, FunctionRef<size_t(RowKind)> max, ScratchArena& arena) {
  const auto n_cuts = [&](const SequenceRows& run) { return (run.n_rows + max(run.kind) - 1) / max(run.kind); };
  size_t n_all = 0;
  for (const SequenceRows& run : rows.runs()) n_all += n_cuts(run);
  const std::span<RowRange> cuts = arena.take<RowRange>(n_all);
  size_t n_made = 0;
  for (const SequenceRows& run : rows.runs()) {
    const size_t n = max(run.kind);
    for (size_t idx = n_cuts(run); idx-- > 0;)
      cuts[n_made++] = {run.first_row + idx * n, std::min(n, run.n_rows - idx * n)};
  }
  return cuts;
}

}  // namespace ogas
