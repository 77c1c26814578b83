// Brings what a schema asks of a value into a form that a text can be written by: for each type the texts or shapes
// that satisfy it, exactly.
//
// A value is a set of literals (formulas, or their opposites) that hold at once. Strings, numbers and constants become
// expressions, where intersection and complement are exact. Objects and arrays become alternatives of shapes: the
// formulas' disjunctive normal form. What matches nothing is found and left out, so that no beginning of a text leads
// nowhere.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/formula.h"
#include "grammar/schema_shapes.h"
#include "grammar/text_encoding.h"

namespace ogas::grammar {

// A formula, or with the lowest bit its opposite.
using Literal = uint32_t;
inline Literal literal(FormulaId formula, bool is_negated = false) { return formula * 2 + (is_negated ? 1 : 0); }
inline FormulaId formula_of(Literal literal) { return literal / 2; }
inline bool is_negated(Literal literal) { return literal & 1; }
inline Literal opposite(Literal literal) { return literal ^ 1; }
// Atoms of one type that hold at once, in order.
using Conjunction = std::vector<Literal>;

class SchemaSolver {
 public:
  SchemaSolver(Automaton& automaton, Formulas& formulas, TextEncoding& strings, NumberLanguage& numbers);
  // Formulas that references stand for, by index, and where each `uniqueItems` is; to be set before anything is asked.
  void set_references(std::vector<FormulaId> targets, std::vector<std::string> unique_pointers);

  ValueId value(std::vector<Literal> literals);
  // Whether any JSON value satisfies it.
  bool is_satisfiable(ValueId value);

  // Of a value: contents of strings (without quotes), numbers, and constants.
  NodeId strings(ValueId value);
  NodeId numbers(ValueId value);
  bool allows(ValueId value, TypeBit constant);
  // Alternatives; each can be satisfied.
  std::vector<uint32_t> objects(ValueId value);
  std::vector<uint32_t> arrays(ValueId value);
  const ObjectShape& object(uint32_t shape) const { return object_shapes_[shape]; }
  const ArrayShape& array(uint32_t shape) const { return array_shapes_[shape]; }

  size_t n_values() const { return values_.size(); }
  const Formulas& formulas() const { return formulas_; }
  Automaton& automaton() { return automaton_; }
  TextEncoding& encoding() { return strings_; }
  // Strings (contents) or numbers that satisfy a value, kAnything for all.
  NodeId language(ValueId value, TypeBit type);
  const std::string& unique_pointer(uint32_t index) const { return unique_pointers_[index]; }

  // For the expansion (schema_expansion.h).
  FormulaId resolve(FormulaId formula) const;
  // Whether a literal holds for all values of a type (true), for none (false), or for some.
  std::optional<bool> constant(Literal literal, TypeBit type, int depth = 0);
  bool is_proven_disjoint(FormulaId left, FormulaId right, TypeBit type);
  // "Exactly one of them" without that operator, for values of one type.
  FormulaId spelled_out(FormulaId one, TypeBit type);
  void count_step();

 private:
  enum class Verdict : uint8_t { unknown, in_progress, yes, no };
  struct Value {
    std::vector<Literal> literals;
    Verdict verdict = Verdict::unknown;
    std::optional<std::vector<uint32_t>> objects = {}, arrays = {};  // not all may be satisfiable
    std::optional<NodeId> strings = {}, numbers = {};
  };

  NodeId literal_language(Literal literal, TypeBit type, int depth);
  NodeId atom_language(const Formula& formula, bool negated);
  NodeId exactly_one(std::span<const FormulaId> children, TypeBit type, bool negated, int depth);
  NodeId number_language(const std::vector<Literal>& literals);
  std::optional<bool> constant_of_one(const Formula& formula, TypeBit type, int depth);
  std::optional<bool> compute_constant(Literal literal, TypeBit type, int depth);
  bool check(ValueId value);
  bool check_types(ValueId value);
  const std::vector<uint32_t>& candidates(ValueId value, TypeBit type);
  bool can_be_satisfied(uint32_t shape, TypeBit type);
  uint32_t shape_of(const Conjunction& atoms, TypeBit type);

  Automaton& automaton_;
  Formulas& formulas_;
  TextEncoding& strings_;
  NumberLanguage& numbers_;
  NodeId free_string_;
  std::vector<FormulaId> targets_;
  std::vector<std::string> unique_pointers_;
  std::vector<Value> values_;
  std::map<std::vector<Literal>, ValueId> known_values_;
  std::deque<ObjectShape> object_shapes_;  // references stay good
  std::deque<ArrayShape> array_shapes_;
  std::unordered_map<uint64_t, NodeId> languages_;
  std::unordered_map<uint64_t, std::optional<bool>> constants_;
  std::unordered_map<uint64_t, FormulaId> spelled_out_;
  std::map<std::pair<TypeBit, Conjunction>, uint32_t> known_shapes_;
  bool is_provisional_ = false;  // an answer took a value in progress for unsatisfiable
  int depth_ = 0;
  size_t n_steps_ = 0;
};

}  // namespace ogas::grammar
