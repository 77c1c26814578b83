#include "nn/packed_weights.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>

#include "base/topology.h"

namespace ogas {
namespace {

constexpr size_t kChunksBetweenReports = 16;  // for each thread

}  // namespace

PackedWeights::PackedWeights(const Ops& ops, std::span<Linear* const> linears, Others others) {
  std::vector<Linear*> chosen;
  for (Linear* linear : linears)
    if (linear->n_out() > 0 && (others == Others::copied || linear->panel_bytes(ops) > 0)) chosen.push_back(linear);
  std::ranges::stable_sort(chosen, {}, [](const Linear* linear) { return linear->stored().data(); });
  for (Linear* linear : chosen) {
    if (!items_.empty() && items_.back().linears.front()->same_rows_as(*linear)) {
      items_.back().linears.push_back(linear);
      continue;
    }
    const uint64_t n_panel_bytes = linear->panel_bytes(ops), n_stored = linear->stored().size();
    items_.push_back({{linear}, linear->stored(), n_bytes_, n_panel_bytes > 0});
    n_bytes_ +=
        n_panel_bytes > 0 ? n_panel_bytes : (n_stored + kPanelAlignment - 1) / kPanelAlignment * kPanelAlignment;
    n_stored_bytes_ += n_stored;
  }
}

bool PackedWeights::replaces(std::span<const std::byte> bytes) const {
  // Experts' matrices lie one behind the other in one tensor.
  const std::byte* begin = bytes.data();
  auto item = std::ranges::upper_bound(items_, begin, {}, [](const Item& i) { return i.stored.data(); });
  if (item == items_.begin()) return false;
  for (--item; item != items_.end() && begin < bytes.data() + bytes.size(); ++item) {
    const auto part = item->stored;
    if (part.data() > begin || part.data() + part.size() <= begin) return false;
    begin = part.data() + part.size();
  }
  return begin >= bytes.data() + bytes.size();
}

// take(chunk_idx) for each chunk on all threads, while its rows are mapped. Between two reports of progress each thread
// has enough of them for their meeting not to be noticed.
Result<> PackedWeights::read_and_release(Exec& exec, const Item& item, size_t n_chunks, const Mapping& mapping,
                                         const Progress& progress, const auto& rows_of, const auto& take) const {
  const size_t n_most = kChunksBetweenReports * exec.pool.size();
  // Also of the rows between those that are read.
  const auto n_bytes_until = [&](size_t chunk_idx) { return item.stored.size() * chunk_idx / n_chunks; };
  std::mutex mutex;
  std::optional<Error> first_error;
  for (size_t begin = 0; begin < n_chunks; begin += n_most) {
    const size_t end = std::min(begin + n_most, n_chunks);
    exec.pool.parallel_for(end - begin, [&](size_t idx, unsigned) {
      const std::span<const std::byte> rows = rows_of(begin + idx);
      if (auto read = mapping.read(rows); !read) {
        const std::lock_guard lock(mutex);
        if (!first_error) first_error = std::move(read).error();
        return;
      }
      take(begin + idx);
      mapping.release(rows);
    });
    if (first_error) return std::unexpected(*std::move(first_error));
    if (progress) OGAS_TRY(progress(n_bytes_until(end) - n_bytes_until(begin)));
  }
  return {};
}

Result<> PackedWeights::pack_item(Exec& exec, const Item& item, const Mapping& mapping,
                                  const Progress& progress) const {
  constexpr size_t kPiece = size_t{1} << 20;
  const Linear& linear = *item.linears.front();
  const std::span<const std::byte> whole = item.stored;
  std::byte* destination = panels_.data() + item.offset;
  Result<> done;
  if (item.has_panels) {
    const size_t n_panels = linear.n_panels(exec.ops), n_rows = exec.ops.panel_rows;
    const size_t step = std::max<size_t>(1, kPiece / (whole.size() / linear.n_out() * n_rows));
    const auto rows_of = [&](size_t idx) {
      return linear.stored_rows(idx * step * n_rows,
                                std::min(linear.n_out(), std::min(n_panels, (idx + 1) * step) * n_rows));
    };
    const auto take = [&](size_t idx) {
      for (size_t panel = idx * step; panel < std::min(n_panels, (idx + 1) * step); ++panel)
        linear.pack_panel(exec.ops, panel, destination);
    };
    done = read_and_release(exec, item, (n_panels + step - 1) / step, mapping, progress, rows_of, take);
  } else {
    const auto rows_of = [&](size_t idx) {
      return whole.subspan(idx * kPiece, std::min(kPiece, whole.size() - idx * kPiece));
    };
    const auto take = [&](size_t idx) {
      std::memcpy(destination + idx * kPiece, rows_of(idx).data(), rows_of(idx).size());
    };
    done = read_and_release(exec, item, (whole.size() + kPiece - 1) / kPiece, mapping, progress, rows_of, take);
  }
  mapping.release(whole);  // pages that two pieces share
  return done;
}

Result<> PackedWeights::pack(Exec& exec, const Mapping& mapping, const Progress& progress) {
  panels_ = PageBuffer(n_bytes_);
  panels_.prefer_huge_pages();
  spread_over_nodes(panels_.data(), panels_.size());
  for (const Item& item : items_) {
    OGAS_TRY(pack_item(exec, item, mapping, progress));
    const std::byte* place = panels_.data() + item.offset;
    for (Linear* linear : item.linears) item.has_panels ? linear->use_panels(place) : void(*linear = linear->at(place));
  }
  return {};
}

}  // namespace ogas
