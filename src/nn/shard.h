// How tensors are divided among the ranks that compute a model together (ops/comm.h). Each tensor says so where it is
// bound. One rank has all of every tensor.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ops/comm.h"

namespace ogas {

// What stays whole. Tensors of a block that are divided by the same unit are divided at the same units: where the rows
// of one make what the columns of another are multiplied with, a rank has both, and its result is a part of each sum,
// which Comm::all_reduce() adds up.
enum class ShardUnit : uint8_t {
  none,
  head,       // of queries
  kv_head,    // of keys and values; a rank has those that its heads of queries share
  key_head,   // of a recurrent layer, with the heads of values that share it
  ff,         // a number between gate, up and down of a dense block
  expert_ff,  // the same inside a routed expert: each rank has a part of every expert
  shared_ff,  // the same of shared experts
  token,      // of the vocabulary
};

struct Shard {
  enum class Axis : uint8_t {
    none,      // replicated: each rank has all of it
    rows,      // outputs
    columns,   // inputs
    matrices,  // of a stack of matrices, one a unit
  };
  Axis axis = Axis::none;
  ShardUnit unit = ShardUnit::none;
  uint64_t n_units = 1;
  std::vector<uint64_t> sections = {};  // lengths along the axis, each of which has all units; empty: one

  static Shard rows(ShardUnit unit, uint64_t n_units, std::vector<uint64_t> sections = {}) {
    return {Axis::rows, unit, n_units, std::move(sections)};
  }
  static Shard columns(ShardUnit unit, uint64_t n_units, std::vector<uint64_t> sections = {}) {
    return {Axis::columns, unit, n_units, std::move(sections)};
  }
  static Shard matrices(ShardUnit unit, uint64_t n_units) { return {Axis::matrices, unit, n_units}; }
};

inline const Shard kReplicated = {};

// A bound tensor: n_matrices matrices [n_rows, n_cols], or a row of n_rows numbers.
struct TensorShard {
  std::string name;
  uint64_t n_matrices, n_rows, n_cols;
  Shard shard;

  // Numbers along the axis that is divided; 0 where none is.
  uint64_t axis_length() const;
};

struct AxisRange {
  uint64_t begin, end;

  bool operator==(const AxisRange&) const = default;
};

// What a rank has along the axis that is divided, section by section. There must be an axis, and whole units in each
// section.
std::vector<AxisRange> share_of(const TensorShard& tensor, const Rank& rank);

}  // namespace ogas
