#include "nn/kv_layout.h"

#include <fmt/format.h>

#include "base/check.h"
#include "ops/kv_view.h"

namespace ogas {

KvStreamId KvLayout::add(const KvStream& stream) {
  OGAS_CHECK(stream.n_heads > 0 && stream.k_dim > 0, "a stream of {} heads of {}", stream.n_heads, stream.k_dim);
  OGAS_CHECK(stream.positions_per_entry > 0 && kPagePositions % stream.positions_per_entry == 0,
             "{} positions an entry do not divide a page of {}", stream.positions_per_entry, kPagePositions);
  streams_.push_back(stream);
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
  page_bytes_ = 0;
  for (uint32_t idx = 0; idx < streams_.size(); ++idx) {
    const KvStreamId id{idx};
    offsets_.push_back(page_bytes_);
    page_bytes_ += streams_[idx].n_heads * (k_bytes(id) + v_bytes(id)) * n_entries(id);
  }
}

KvStreamView KvLayout::view(KvStreamId id) const {
  const KvStream& stream = this->stream(id);
  OGAS_CHECK(stream.positions_per_entry == 1, "entries of {} positions", stream.positions_per_entry);
  return {.format = format_,
          .page_size = kPagePositions,
          .n_heads = stream.n_heads,
          .k_dim = stream.k_dim,
          .v_dim = stream.v_dim,
          .k_bytes = k_bytes(id),
          .v_bytes = v_bytes(id),
          .k_offset = k_offset(id, 0),
          .v_offset = v_offset(id, 0),
          .head_bytes = k_offset(id, 1) - k_offset(id, 0)};
}

std::string KvLayout::describe() const {
  std::string text = fmt::format("{} {}", kPagePositions, facts_of(format_).name);
  for (const KvStream& s : streams_)
    text += fmt::format(" {}x{}+{}:{}/{}", s.n_heads, s.k_dim, s.v_dim, s.window, s.positions_per_entry);
  for (const uint64_t n : state_values_) text += fmt::format(" {}", n);
  return text;
}

}  // namespace ogas
