// Where the keys and values of past positions lie, and which positions the rows of a batch are: views for operations of
// a device, which know no caches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/row_kind.h"
#include "quant/format.h"

namespace ogas {

// Whether keys and values can be kept in this format: it is one of kKvFormats.
bool is_kv_format(Format format);

// What layers store of each position: keys of some heads and their values, in pages of page_size positions.
struct KvStreamView {
  Format format;  // one of kKvFormats
  size_t page_size;
  size_t n_heads, k_dim, v_dim;  // v_dim 0: values are the first part of the keys, or there are none
  size_t k_bytes, v_bytes;       // of one head's key, and of its value, at a position
  size_t k_offset, v_offset;     // bytes from the start of a page to those of head 0
  size_t head_bytes;             // from those of one head to those of the next

  // Where the key and the value of a position are, in these pages.
  std::byte* k(std::byte* const* pages, size_t head_idx, size_t position) const {
    return pages[position / page_size] + k_offset + head_idx * head_bytes + position % page_size * k_bytes;
  }
  std::byte* v(std::byte* const* pages, size_t head_idx, size_t position) const {
    return pages[position / page_size] + v_offset + head_idx * head_bytes + position % page_size * v_bytes;
  }
};

// Consecutive rows that are consecutive positions of one sequence, and the pages of one of its streams.
struct KvRun {
  std::byte* const* pages;  // page idx holds positions from idx * page_size on; those that are seen or written must be
                            // there
  size_t position;          // of the first row
  size_t first_row, n_rows;
  RowKind kind;
};

// The rows of a batch.
struct KvRows {
  std::span<const KvRun> runs;
  std::span<const uint32_t> run_of_row;  // [n_rows]
  std::span<const RowKind> kinds;        // [n_rows]

  size_t size() const { return run_of_row.size(); }
  const KvRun& run_of(size_t row) const { return runs[run_of_row[row]]; }
  size_t position(size_t row) const { return run_of(row).position + (row - run_of(row).first_row); }
};

// Some consecutive rows.
struct RowRange {
  size_t first_row, n_rows;
};

}  // namespace ogas
