// Rows of weights that are looked up by token, not multiplied with.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "ops/linear.h"

namespace ogas {

// Reads what is not in memory, from any thread.
class StoredReader {
 public:
  virtual ~StoredReader() = default;
  // The bytes that a Linear says it is stored at (Linear::stored) to a buffer of their size. Errors: io.
  virtual Result<> read(std::span<const std::byte> stored, std::span<std::byte> buffer) const = 0;
};

struct EmbeddingRows {
  const Linear& rows;          // [n_vocab, n_embd]
  const StoredReader* reader;  // null: the rows are in memory
};

}  // namespace ogas
