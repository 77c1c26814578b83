// What an object or an array must be like, with all conditions on it brought together.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/regex.h"

namespace ogas::grammar {

// A value that satisfies several formulas or their opposites at once (SchemaSolver).
using ValueId = uint32_t;

// One way to write a value: what it satisfies, and which demands (bits) it is counted for.
struct ValueOption {
  ValueId value;
  uint32_t demands = 0;
};

// Some members or items must satisfy something: at least min of them, at most max.
struct Demand {
  uint32_t min = 0, max = kUnbounded;
};

struct NamedKey {
  uint32_t name;
  bool is_required = false;
  std::vector<ValueOption> options = {};
};

// Keys without a name of their own that are treated alike.
struct KeyClass {
  NodeId texts;  // none of them a name
  std::vector<ValueOption> options = {};
  size_t capacity = 0;  // how many there are, at most kMaxCapacity
};
inline constexpr size_t kMaxCapacity = 256;

struct ObjectShape {
  std::vector<NamedKey> names;  // in the order of the schema
  std::vector<KeyClass> classes;
  std::vector<Demand> demands;
  uint32_t min_keys = 0, max_keys = kUnbounded;

  // Whether keys are counted.
  bool has_counts() const { return min_keys > 0 || max_keys != kUnbounded; }
};

struct ArrayShape {
  // Options of each item; the last entry is for all further ones.
  std::vector<std::vector<ValueOption>> items;
  std::vector<Demand> demands;
  uint32_t min_items = 0, max_items = kUnbounded;

  const std::vector<ValueOption>& options(uint32_t index) const {
    return items[index < items.size() ? index : items.size() - 1];
  }
};

}  // namespace ogas::grammar
