// The ranks that compute one model together. Each holds its shard of the weights; after a block whose last matrix is
// divided by its inputs every rank has a part of each sum, and all_reduce() adds the parts up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "ops/matrix.h"

namespace ogas {

// Rank `idx` of `n`.
struct Rank {
  uint32_t idx = 0, n = 1;

  bool operator==(const Rank&) const = default;
};

class Comm {
 public:
  virtual ~Comm() = default;
  virtual Rank rank() const = 0;
  // Rows 0..n_rows of y become their sums over all ranks, the same bits on each. Errors: those of the connection to a
  // peer; the pass is then to be given up.
  virtual Result<> all_reduce(const Matrix& y, size_t n_rows) = 0;
};

// One process computes all of it: its sums are complete.
class SingleRank final : public Comm {
 public:
  Rank rank() const override { return {}; }
  Result<> all_reduce(const Matrix&, size_t) override { return {}; }
};

}  // namespace ogas
