#include "nn/kv_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace ogas {

KvStreamId KvLayout::add(const KvStream& stream) {
  OGAS_CHECK(stream.n_heads > 0 && stream.k_dim > 0, "a stream of {} heads of {}", stream.n_heads, stream.k_dim);
  OGAS_CHECK(stream.positions_per_entry > 0 && kPagePositions % stream.positions_per_entry == 0,
             "{} positions an entry do not divide a page of {}", stream.positions_per_entry, kPagePositions);
  streams_.push_back(stream);
  window_ = std::max(window_, stream.window);
  place_streams();
  return {static_cast<uint32_t>(streams_.size() - 1)};
}

KvStateId KvLayout::add_state(uint64_t n_values) {
  OGAS_CHECK(n_values > 0, "a state without values");
  state_values_.push_back(n_values);
  state_offsets_.push_back(n_state_values_);
  n_state_values_ += n_values;
  return {static_cast<uint32_t>(state_values_.size() - 1)};
}

Result<> KvLayout::set_format(Format format) {
  const FormatFacts& facts = facts_of(format);
  if (!is_kv_format(format))
    return fail(ErrorCode::usage, "keys and values can be kept as F32, F16, BF16, Q8_0 or Q4_0, not {}", facts.name);
  for (const KvStream& stream : streams_)
    for (const uint32_t dim : {stream.k_dim, stream.v_dim})
      if (dim % facts.block_values != 0)
        return fail(ErrorCode::usage,
                    "this model's keys and values have {} dimensions, which {} cannot hold: it needs a multiple of {}",
                    dim, facts.name, facts.block_values);
  format_ = format;
  place_streams();
  return {};
}

void KvLayout::place_streams() {
  offsets_.clear();
  views_.clear();
  page_bytes_ = {};
  for (uint32_t idx = 0; idx < streams_.size(); ++idx) {
    const KvStreamId id{idx};
    const KvStream& stream = streams_[idx];
    uint64_t& n_bytes = page_bytes_[static_cast<size_t>(kind_of(id))];
    offsets_.push_back(n_bytes);
    n_bytes += stream.n_heads * (k_bytes(id) + v_bytes(id)) * n_entries(id);
    views_.push_back({.format = format_,
                      .page_size = kPagePositions,
                      .n_heads = stream.n_heads,
                      .k_dim = stream.k_dim,
                      .v_dim = stream.v_dim,
                      .k_bytes = k_bytes(id),
                      .v_bytes = v_bytes(id),
                      .k_offset = k_offset(id, 0),
                      .v_offset = v_offset(id, 0),
                      .head_bytes = k_offset(id, 1) - k_offset(id, 0)});
  }
}

std::span<const KvPageKind> KvLayout::page_kinds() const {
  static constexpr KvPageKind kAll[] = {KvPageKind::full, KvPageKind::window};
  return std::span(kAll).first(window_ > 0 ? 2 : 1);
}

uint64_t KvLayout::read_bytes(uint64_t position) const {
  uint64_t n_bytes = 0;
  for (uint32_t idx = 0; idx < streams_.size(); ++idx) {
    const KvStreamId id{idx};
    const uint64_t n_seen =
        streams_[idx].window > 0 ? std::min<uint64_t>(position, streams_[idx].window - 1) : position;
    n_bytes += streams_[idx].n_heads * (k_bytes(id) + v_bytes(id)) * n_seen / streams_[idx].positions_per_entry;
  }
  return n_bytes;
}

size_t KvLayout::n_window_pages(size_t position) const {
  if (window_ == 0) return 0;
  return pages_for(position) - first_window_page(position);
}

uint64_t KvLayout::snapshot_bytes() const {
  const uint64_t n_pages = window_ > 0 ? pages_for(window_ - 1) : 0;
  return state_bytes() + n_pages * page_bytes(KvPageKind::window);
}

// A pass begins with the pages that windows reach from the start of the page it begins in
// (KvSequence::prepare_to_extend).
uint64_t KvLayout::bytes_of_pages(uint64_t n, uint64_t n_batch) const {
  const uint64_t n_pages = pages_for(n);
  uint64_t n_bytes = n_pages * page_bytes(KvPageKind::full);
  if (window_ == 0) return n_bytes;
  const uint64_t n_before = pages_for(window_ - 1);
  const uint64_t n_in_batch = pages_for(kPagePositions - 1 + n_batch);
  return n_bytes + std::min(n_pages, n_before + n_in_batch) * page_bytes(KvPageKind::window);
}

uint64_t KvLayout::positions_within(uint64_t bytes, uint64_t n_batch, uint64_t bytes_a_page, uint64_t max) const {
  uint64_t fits = 0, too_many = max / kPagePositions + 1;  // pages
  while (fits + 1 < too_many) {
    const uint64_t n_pages = fits + (too_many - fits) / 2;
    const bool does_fit = bytes_of_pages(n_pages * kPagePositions, n_batch) + n_pages * bytes_a_page <= bytes;
    (does_fit ? fits : too_many) = n_pages;
  }
  return fits * kPagePositions;
}

const KvStreamView& KvLayout::view(KvStreamId id) const {
  OGAS_CHECK(stream(id).positions_per_entry == 1, "entries of {} positions", stream(id).positions_per_entry);
  return views_[id.idx];
}

std::string KvLayout::describe() const {
  std::string text = fmt::format("{} {}", kPagePositions, facts_of(format_).name);
  for (const KvStream& s : streams_)
    text += fmt::format(" {}x{}+{}:{}/{}", s.n_heads, s.k_dim, s.v_dim, s.window, s.positions_per_entry);
  for (const uint64_t n : state_values_) text += fmt::format(" {}", n);
  if (window_ > 0) text += " windows apart";  // in pages of their own
  return text;
}

}  // namespace ogas
