// What tests of attention share: pages of a stream, and rows of sequences that own some.
#pragma once

#include <cstring>
#include <deque>
#include <span>
#include <vector>

#include "ops/kv_view.h"
#include "quant/format.h"

namespace ogas {

// Sequences that hold keys and values of one stream, and rows of a batch that are some of their positions.
class TestSequences {
 public:
  static constexpr size_t kPage = 64, kLead = 128;  // bytes of a page before the stream's

  TestSequences(Format format, size_t n_heads, size_t k_dim, size_t v_dim) {
    const FormatFacts& facts = facts_of(format);
    const size_t k_bytes = facts.bytes_for(k_dim), v_bytes = facts.bytes_for(v_dim);
    stream = {.format = format,
              .page_size = kPage,
              .n_heads = n_heads,
              .k_dim = k_dim,
              .v_dim = v_dim,
              .k_bytes = k_bytes,
              .v_bytes = v_bytes,
              .k_offset = kLead,
              .v_offset = kLead + kPage * k_bytes,
              .head_bytes = kPage * (k_bytes + v_bytes)};
  }

  // Rows after those so far: n from `position` on of a new sequence.
  void add(size_t position, size_t n, RowKind kind) {
    std::vector<std::byte*>& pages = pages_.emplace_back();
    for (size_t idx = 0; idx * kPage < position + n; ++idx)
      pages.push_back(memory_.emplace_back(kLead + stream.n_heads * stream.head_bytes).data());
    run_of_row_.insert(run_of_row_.end(), n, static_cast<uint32_t>(runs_.size()));
    runs_.push_back({pages.data(), position, kinds_.size(), n, kind});
    kinds_.insert(kinds_.end(), n, kind);
  }

  KvRows rows() const { return {runs_, run_of_row_, kinds_}; }
  // As it is stored.
  std::vector<float> key(size_t run, size_t head, size_t position) const {
    return decoded(stream.k(pages_[run].data(), head, position), stream.k_dim);
  }
  std::vector<float> value(size_t run, size_t head, size_t position) const {
    return decoded(stream.v(pages_[run].data(), head, position), stream.v_dim);
  }

  KvStreamView stream;

 private:
  std::vector<float> decoded(const std::byte* stored, size_t n) const {
    const FormatFacts& facts = facts_of(stream.format);
    std::vector<float> values(n);
    facts.decode(stored, values.data(), n / facts.block_values);
    return values;
  }

  std::deque<std::vector<std::byte>> memory_;
  std::deque<std::vector<std::byte*>> pages_;
  std::vector<KvRun> runs_;
  std::vector<uint32_t> run_of_row_;
  std::vector<RowKind> kinds_;
};

}  // namespace ogas
