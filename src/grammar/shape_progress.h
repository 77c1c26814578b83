// How far an object or an array has been written, and whether it can still be completed.
#pragma once

#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "grammar/schema_shapes.h"

namespace ogas::grammar {

// Whether any value satisfies it.
using IsSatisfiable = FunctionRef<bool(ValueId)>;

struct ObjectProgress {
  std::vector<uint64_t> seen = {};  // bits: names that were written
  std::vector<uint32_t> used = {};  // keys of each class that were written, at most kMaxCapacity
  uint32_t demands_met = 0;
  uint32_t n_keys = 0;  // where they are counted

  bool has_seen(size_t name) const { return name / 64 < seen.size() && ((seen[name / 64] >> (name % 64)) & 1); }
  void see(size_t name) {
    if (seen.size() <= name / 64) seen.resize(name / 64 + 1);
    seen[name / 64] |= uint64_t{1} << (name % 64);
  }
  bool operator==(const ObjectProgress&) const = default;
};

struct ArrayProgress {
  uint32_t n_items = 0;
  std::vector<uint32_t> counts = {};  // for each demand
  bool operator==(const ArrayProgress&) const = default;
};

bool has_option(const std::vector<ValueOption>& options, IsSatisfiable is_satisfiable);

bool may_end(const ObjectShape& shape, const ObjectProgress& progress);
bool can_complete(const ObjectShape& shape, const ObjectProgress& progress, IsSatisfiable is_satisfiable);
ObjectProgress after_name(const ObjectShape& shape, ObjectProgress progress, size_t name, const ValueOption& option);
ObjectProgress after_class(const ObjectShape& shape, ObjectProgress progress, size_t index, const ValueOption& option);

bool may_end(const ArrayShape& shape, const ArrayProgress& progress);
bool can_complete(const ArrayShape& shape, const ArrayProgress& progress, IsSatisfiable is_satisfiable);
// Whether an item with this option may come next, as far as counts are concerned.
bool may_add(const ArrayShape& shape, const ArrayProgress& progress, const ValueOption& option);
ArrayProgress after_item(const ArrayShape& shape, ArrayProgress progress, const ValueOption& option);

}  // namespace ogas::grammar
