// What a schema asks of a value, as formulas: atoms, and all, any, exactly one or none of others.
//
// Each atom speaks of one type of value and holds for every value of another type, except `types`. Equal formulas are
// one.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "grammar/number_language.h"

namespace ogas::grammar {

using FormulaId = uint32_t;
inline constexpr FormulaId kNever = 0, kAlways = 1;

// Types of values, as bits. True and false are two, so that a constant is a type.
enum TypeBit : uint32_t {
  kNullType = 1,
  kFalseType = 2,
  kTrueType = 4,
  kNumberType = 8,
  kStringType = 16,
  kArrayType = 32,
  kObjectType = 64,
  kAllTypes = 127,
};

enum class FormulaKind : uint8_t {
  never,
  always,
  all,         // a: first child, b: how many
  any,         // the same
  one,         // the same: exactly one holds
  negation,    // a
  reference,   // a: index of what is referred to
  types,       // a: TypeBits
  text,        // strings: a is the NodeId of those allowed
  number,      // numbers: a, b are a NumberAtom
  multiple,    // numbers: a, b are the Divisor
  key_values,  // objects: values of keys in KeySet a satisfy b
  key_names,   // objects: keys, as strings, satisfy a
  has_key,     // objects: a is the index of a name
  min_keys,    // objects: at least a
  max_keys,
  item_values,   // arrays: items a to b (exclusive) satisfy c
  min_matching,  // arrays: of items a to b, at least d satisfy c
  max_matching,
  min_items,
  max_items,
  unique_items,
};

struct Formula {
  FormulaKind kind = FormulaKind::never;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  auto operator<=>(const Formula&) const = default;
};

// Keys of objects: those named, those that match a pattern, or with is_negated all others.
struct KeySet {
  std::vector<uint32_t> names = {};   // indices, in order
  std::vector<NodeId> patterns = {};  // of the contents of JSON strings, in order
  bool is_negated = false;
  auto operator<=>(const KeySet&) const = default;
};

class Formulas {
 public:
  Formulas();

  FormulaId all(std::vector<FormulaId> formulas);
  FormulaId any(std::vector<FormulaId> formulas);
  FormulaId one(std::vector<FormulaId> formulas);
  FormulaId negation(FormulaId formula);
  FormulaId atom(const Formula& formula);
  FormulaId types(uint32_t bits);
  FormulaId number(const NumberAtom& atom);
  FormulaId key_values(const KeySet& keys, FormulaId value);
  FormulaId has_key(std::string_view name);

  uint32_t name(std::string_view name);
  const std::string& name_of(uint32_t index) const { return names_[index]; }
  uint32_t key_set(const KeySet& keys);
  const KeySet& key_set_of(uint32_t index) const { return key_sets_[index]; }

  const Formula& operator[](FormulaId id) const { return formulas_[id]; }
  std::span<const FormulaId> children(const Formula& formula) const {
    return {children_.data() + formula.a, formula.b};
  }
  size_t size() const { return formulas_.size(); }

 private:
  FormulaId list(FormulaKind kind, std::vector<FormulaId> formulas);

  std::vector<Formula> formulas_;
  std::vector<FormulaId> children_;
  std::vector<std::string> names_;
  std::vector<KeySet> key_sets_;
  std::map<Formula, FormulaId> known_;
  std::map<std::pair<FormulaKind, std::vector<FormulaId>>, FormulaId> known_lists_;
  std::map<std::string, uint32_t, std::less<>> known_names_;
  std::map<KeySet, uint32_t> known_key_sets_;
};

// The type that an atom speaks of; 0 for formulas that are not atoms.
uint32_t type_of_atom(FormulaKind kind);

}  // namespace ogas::grammar
