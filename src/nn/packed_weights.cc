#include "nn/packed_weights.h"

#include <algorithm>
#include <cstring>

#include "base/first_error.h"
#include "base/topology.h"
#include "ops/matrix_pieces.h"

namespace ogas {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20, kPiecesBetweenReports = 16;  // for each thread

}  // namespace

PackedWeights::PackedWeights(const CpuKernels& kernels, std::span<Linear* const> linears, Others others)
    : kernels_(kernels) {
  std::vector<Linear*> chosen;
  for (Linear* linear : linears)
    if (linear->n_out() > 0 && (others == Others::copied || linear->panel_bytes(kernels) > 0)) chosen.push_back(linear);
  std::ranges::stable_sort(chosen, {}, [](const Linear* linear) { return linear->stored().data(); });
  for (Linear* linear : chosen) {
    if (!items_.empty() && items_.back().linears.front()->same_rows_as(*linear)) {
      items_.back().linears.push_back(linear);
      continue;
    }
    const uint64_t n_panel_bytes = linear->panel_bytes(kernels), n_stored = linear->stored().size();
    const uint64_t n_copied = (n_stored + kPanelAlignment - 1) / kPanelAlignment * kPanelAlignment;
    items_.push_back({{linear}, linear->stored(), n_bytes_, n_panel_bytes > 0});
    n_bytes_ += n_panel_bytes > 0 ? n_panel_bytes : n_copied;
    if (n_panel_bytes > 0 && linear->keeps_rows() && others == Others::copied) {
      items_.back().copies_rows = true;
      items_.back().rows_offset = n_bytes_;
      n_bytes_ += n_copied;
    }
    n_stored_bytes_ += n_stored;
  }
}

bool PackedWeights::replaces(std::span<const std::byte> bytes) const {
  // Experts' matrices lie one after the other in one tensor.
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

// On all threads, each piece mapped as long as it is needed. Between two reports of progress each thread has enough of
// them for their meeting not to be noticed.
Result<> PackedWeights::pack_item(ThreadPool& pool, const Item& item, const Mapping& mapping,
                                  const Progress& progress) const {
  const MatrixPieces pieces(kernels_, *item.linears.front(), kPieceBytes);
  const size_t n_pieces = pieces.size(), n_max = kPiecesBetweenReports * pool.size();
  // Also of the rows between those that are read.
  const auto n_bytes_until = [&](size_t idx) { return item.stored.size() * idx / n_pieces; };
  Result<> result;
  for (size_t begin = 0; begin < n_pieces && result; begin += n_max) {
    const size_t end = std::min(begin + n_max, n_pieces);
    FirstError error;
    pool.parallel_for(end - begin, [&](size_t idx, unsigned) {
      const std::span<const std::byte> rows = pieces.stored(begin + idx);
      if (auto read = mapping.read(rows); !read) return error.add(std::move(read));
      pieces.write(begin + idx, panels_.data() + item.offset);
      if (item.copies_rows)
        std::memcpy(panels_.data() + item.rows_offset + (rows.data() - item.stored.data()), rows.data(), rows.size());
      mapping.release(rows);
    });
    result = std::move(error).result();
    if (result && progress) result = progress(n_bytes_until(end) - n_bytes_until(begin));
  }
  mapping.release(item.stored);  // pages that two pieces share
  return result;
}

Result<> PackedWeights::pack(ThreadPool& pool, const Mapping& mapping, const Progress& progress) {
  panels_ = PageBuffer(n_bytes_);
  panels_.prefer_huge_pages();
  spread_over_nodes(panels_.data(), panels_.size());
  for (const Item& item : items_) {
    OGAS_TRY(pack_item(pool, item, mapping, progress));
    const std::byte* packed = panels_.data() + item.offset;
    for (Linear* linear : item.linears) {
      if (item.copies_rows) *linear = linear->at(panels_.data() + item.rows_offset);
      item.has_panels ? linear->use_panels(packed) : void(*linear = linear->at(packed));
    }
  }
  return {};
}

}  // namespace ogas
