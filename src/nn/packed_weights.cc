#include "nn/packed_weights.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/topology.h"

namespace ogas {
namespace {

std::span<const std::byte> stored(const Linear& linear) { return linear.stored_rows(0, linear.n_out()); }

}  // namespace

PackedWeights::PackedWeights(const Ops& ops, std::span<Linear* const> linears) {
  std::vector<Linear*> packable;
  for (Linear* linear : linears)
    if (linear->n_out() > 0 && linear->panel_bytes(ops) > 0) packable.push_back(linear);
  std::ranges::stable_sort(packable, {}, [](const Linear* linear) { return stored(*linear).data(); });
  for (Linear* linear : packable) {
    if (!items_.empty() && items_.back().linears.front()->same_rows_as(*linear)) {
      items_.back().linears.push_back(linear);
      continue;
    }
    items_.push_back({{linear}, n_bytes_});
    n_bytes_ += linear->panel_bytes(ops);
    n_stored_bytes_ += stored(*linear).size();
  }
}

bool PackedWeights::replaces(std::span<const std::byte> bytes) const {
  // Experts' matrices lie one behind the other in one tensor.
  const std::byte* begin = bytes.data();
  auto item =
      std::ranges::upper_bound(items_, begin, {}, [](const Item& i) { return stored(*i.linears.front()).data(); });
  if (item == items_.begin()) return false;
  for (--item; item != items_.end() && begin < bytes.data() + bytes.size(); ++item) {
    const auto part = stored(*item->linears.front());
    if (part.data() > begin || part.data() + part.size() <= begin) return false;
    begin = part.data() + part.size();
  }
  return begin >= bytes.data() + bytes.size();
}

Result<> PackedWeights::pack_item(Exec& exec, const Item& item, const Mapping& mapping) const {
  constexpr size_t kPiece = size_t{1} << 20;
  const Linear& linear = *item.linears.front();
  const size_t n_panels = linear.n_panels(exec.ops), n_rows = exec.ops.panel_rows;
  const size_t row_bytes = stored(linear).size() / linear.n_out();
  const size_t step = std::max<size_t>(1, kPiece / (row_bytes * n_rows));
  std::mutex mutex;
  std::optional<Error> first_error;
  exec.pool.parallel_for((n_panels + step - 1) / step, [&](size_t chunk_idx, unsigned) {
    const size_t begin = chunk_idx * step, end = std::min(n_panels, begin + step);
    const auto rows = linear.stored_rows(begin * n_rows, std::min(linear.n_out(), end * n_rows));
    if (auto read = mapping.read(rows); !read) {
      const std::lock_guard lock(mutex);
      if (!first_error) first_error = std::move(read).error();
      return;
    }
    for (size_t panel = begin; panel < end; ++panel) linear.pack_panel(exec.ops, panel, panels_.data() + item.offset);
    mapping.release(rows);
  });
  mapping.release(stored(linear));  // pages that two pieces share
  if (first_error) return std::unexpected(*std::move(first_error));
  return {};
}

Result<> PackedWeights::pack(Exec& exec, const Mapping& mapping, const Progress& progress) {
  panels_ = PageBuffer(n_bytes_);
  panels_.prefer_huge_pages();
  spread_over_nodes(panels_.data(), panels_.size());
  for (const Item& item : items_) {
    OGAS_TRY(pack_item(exec, item, mapping));
    for (Linear* linear : item.linears) linear->use_panels(panels_.data() + item.offset);
    if (progress) progress(stored(*item.linears.front()).size());
  }
  return {};
}

}  // namespace ogas
