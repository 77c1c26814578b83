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

std::span<const RowCut> cut_rows(const Rows& rows, FunctionRef<size_t(RowKind)> most) {
  thread_local std::vector<RowCut> cuts;
  cuts.clear();
  for (const RowRun& run : rows.runs()) {
    const size_t n = most(run.kind);
    for (size_t idx = (run.n_rows + n - 1) / n; idx-- > 0;)
      cuts.push_back({run.first_row + idx * n, std::min(n, run.n_rows - idx * n)});
  }
  return cuts;
}

}  // namespace ogas
