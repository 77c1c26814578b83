#include "nn/shard.h"

#include "base/check.h"

namespace ogas {

uint64_t TensorShard::axis_length() const {
  switch (shard.axis) {
    case Shard::Axis::none: return 0;
    case Shard::Axis::rows: return n_rows;
    case Shard::Axis::columns: return n_cols;
    case Shard::Axis::matrices: return n_matrices;
  }
  return 0;
}

std::vector<AxisRange> share_of(const TensorShard& tensor, const Rank& rank) {
  const Shard& shard = tensor.shard;
  OGAS_CHECK(shard.axis != Shard::Axis::none && rank.idx < rank.n, "rank {} of {} of '{}'", rank.idx, rank.n,
             tensor.name);
  const std::vector<uint64_t> whole = {tensor.axis_length()};
  std::vector<AxisRange> ranges;
  uint64_t begin = 0;
  for (const uint64_t length : shard.sections.empty() ? whole : shard.sections) {
    OGAS_CHECK(shard.n_units > 0 && length % shard.n_units == 0, "'{}': {} units in a section of {}", tensor.name,
               shard.n_units, length);
    const uint64_t unit = length / shard.n_units;
    const auto border = [&](uint64_t idx) { return begin + shard.n_units * idx / rank.n * unit; };
    ranges.push_back({border(rank.idx), border(rank.idx + 1)});
    begin += length;
  }
  OGAS_CHECK(begin == tensor.axis_length(), "'{}': sections of {} in all, of {}", tensor.name, begin,
             tensor.axis_length());
  return ranges;
}

}  // namespace ogas
