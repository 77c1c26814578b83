#include "grammar/schema_solver.h"

#include <algorithm>
#include <numeric>

#include "grammar/refusal.h"
#include "grammar/schema_expansion.h"
#include "grammar/shape_builder.h"
#include "grammar/shape_progress.h"

namespace ogas::grammar {
namespace {

constexpr int kMaxSolverDepth = 300;

uint64_t key_of(uint32_t id, TypeBit type) { return uint64_t{id} << 8 | type; }

[[noreturn]] void refuse_depth() { refuse("it is nested too deeply, or refers to itself without a value in between"); }

}  // namespace

SchemaSolver::SchemaSolver(Automaton& automaton, Formulas& formulas, TextEncoding& strings, NumberLanguage& numbers)
    : automaton_(automaton),
      formulas_(formulas),
      strings_(strings),
      numbers_(numbers),
      free_string_(strings.free_text()) {}

void SchemaSolver::set_references(std::vector<FormulaId> targets, std::vector<std::string> unique_pointers) {
  targets_ = std::move(targets);
  unique_pointers_ = std::move(unique_pointers);
}

void SchemaSolver::count_step() {
  constexpr size_t kMaxSteps = 1'000'000;
  if (++n_steps_ > kMaxSteps) refuse("its conditions combine in too many ways");
}

FormulaId SchemaSolver::resolve(FormulaId formula) const {
  for (int n_steps = 0; formulas_[formula].kind == FormulaKind::reference; ++n_steps) {
    if (n_steps > kMaxSolverDepth) refuse("a reference leads back to itself");
    formula = targets_[formulas_[formula].a];
  }
  return formula;
}

// Equal sets of literals are one value: opposites and conjunctions are resolved.
ValueId SchemaSolver::value(std::vector<Literal> literals) {
  std::vector<Literal> flat;
  while (!literals.empty()) {
    const Literal next = literals.back();
    literals.pop_back();
    const Formula& formula = formulas_[formula_of(next)];
    if (formula.kind == FormulaKind::reference) {
      literals.push_back(literal(resolve(formula_of(next)), is_negated(next)));
    } else if (formula.kind == FormulaKind::negation) {
      literals.push_back(literal(formula.a, !is_negated(next)));
    } else if (formula.kind == (is_negated(next) ? FormulaKind::any : FormulaKind::all)) {
      for (const FormulaId child : formulas_.children(formula)) literals.push_back(literal(child, is_negated(next)));
    } else if (next == literal(kNever) || next == literal(kAlways, true)) {
      flat = {literal(kNever)};
      break;
    } else if (next != literal(kAlways) && next != literal(kNever, true)) {
      flat.push_back(next);
    }
    count_step();
    if (flat.size() > 50'000) refuse("it is too complex");
  }
  std::ranges::sort(flat);
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  for (const Literal each : flat)
    if (std::ranges::binary_search(flat, opposite(each))) flat = {literal(kNever)};
  const auto [found, is_new] = known_values_.try_emplace(flat, static_cast<ValueId>(values_.size()));
  if (is_new) {
    constexpr size_t kMaxValues = 50'000;
    if (values_.size() >= kMaxValues) refuse("its conditions combine in too many ways");
    values_.push_back({.literals = std::move(flat)});
  }
  return found->second;
}

NodeId SchemaSolver::atom_language(const Formula& formula, bool negated) {
  switch (formula.kind) {
    case FormulaKind::text: return negated ? strings_.all_but(formula.a) : formula.a;
    case FormulaKind::number: return negated ? formula.b : formula.a;
    default: break;
  }
  const NumberAtom atom = numbers_.multiple_of({.p = formula.a, .q = formula.b});
  return negated ? atom.broken : atom.satisfied;
}

NodeId SchemaSolver::literal_language(Literal literal, TypeBit type, int depth) {
  if (depth > kMaxSolverDepth) refuse_depth();
  const auto known = languages_.find(key_of(literal, type));
  if (known != languages_.end()) return known->second;
  count_step();
  const Formula formula = formulas_[formula_of(literal)];
  const bool negated = is_negated(literal);
  const auto truth = [&](bool holds) { return holds != negated ? kAnything : kNothing; };
  NodeId result = kNothing;
  switch (formula.kind) {
    case FormulaKind::never: result = truth(false); break;
    case FormulaKind::always: result = truth(true); break;
    case FormulaKind::types: result = truth(formula.a & type); break;
    case FormulaKind::negation:
      result = literal_language(grammar::literal(formula.a, !negated), type, depth + 1);
      break;
    case FormulaKind::reference:
      result = literal_language(grammar::literal(resolve(formula_of(literal)), negated), type, depth + 1);
      break;
    case FormulaKind::all:
    case FormulaKind::any: {
      std::vector<NodeId> parts;
      const std::vector<FormulaId> children(formulas_.children(formula).begin(), formulas_.children(formula).end());
      for (const FormulaId child : children)
        parts.push_back(literal_language(grammar::literal(child, negated), type, depth + 1));
      const bool is_all = (formula.kind == FormulaKind::all) != negated;
      Regexes& regexes = automaton_.regexes();
      result = is_all ? regexes.intersection(std::move(parts)) : regexes.alternative(std::move(parts));
      break;
    }
    case FormulaKind::one: {
      const std::vector<FormulaId> children(formulas_.children(formula).begin(), formulas_.children(formula).end());
      result = exactly_one(children, type, negated, depth + 1);
      break;
    }
    default: result = type_of_atom(formula.kind) == type ? atom_language(formula, negated) : truth(true); break;
  }
  languages_[key_of(literal, type)] = result;
  return result;
}

// Follows the children one by one: texts that satisfied none so far, one, or more.
NodeId SchemaSolver::exactly_one(std::span<const FormulaId> children, TypeBit type, bool negated, int depth) {
  Regexes& regexes = automaton_.regexes();
  NodeId none = kAnything, one = kNothing, more = kNothing;
  for (const FormulaId child : children) {
    const NodeId yes = literal_language(literal(child), type, depth);
    const NodeId no = literal_language(literal(child, true), type, depth);
    more = regexes.alternative(more, regexes.intersection(one, yes));
    one = regexes.alternative(regexes.intersection(one, no), regexes.intersection(none, yes));
    none = regexes.intersection(none, no);
  }
  return negated ? regexes.alternative(none, more) : one;
}

// Several divisors become one.
NodeId SchemaSolver::number_language(const std::vector<Literal>& literals) {
  std::optional<Divisor> divisor;
  std::vector<NodeId> parts;
  for (const Literal each : literals) {
    const Formula& formula = formulas_[formula_of(each)];
    if (formula.kind != FormulaKind::multiple || is_negated(each)) {
      parts.push_back(literal_language(each, kNumberType, 0));
      continue;
    }
    Divisor other = {.p = formula.a, .q = formula.b};
    if (divisor) {
      uint64_t p = divisor->p, other_p = other.p;
      for (; divisor->q < other.q; ++divisor->q) p *= 10;
      for (; other.q < divisor->q; ++other.q) other_p *= 10;
      const uint64_t common = std::gcd(p, other_p), limit = uint64_t{1} << 31;
      if (p / common >= limit / other_p) refuse("the least common multiple of its divisors is too large");
      other.p = static_cast<uint32_t>(p / common * other_p);
    }
    divisor = other;
  }
  if (divisor) parts.push_back(numbers_.multiple_of(*divisor).satisfied);
  return automaton_.regexes().intersection(std::move(parts));
}

NodeId SchemaSolver::language(ValueId value, TypeBit type) {
  const std::vector<Literal> literals = values_[value].literals;
  if (type == kNumberType) return number_language(literals);
  std::vector<NodeId> parts;
  for (const Literal each : literals) parts.push_back(literal_language(each, type, 0));
  return automaton_.regexes().intersection(std::move(parts));
}

NodeId SchemaSolver::strings(ValueId value) {
  if (!values_[value].strings) {
    const NodeId texts = language(value, kStringType);
    values_[value].strings = texts == kAnything ? free_string_ : texts;
  }
  return *values_[value].strings;
}

NodeId SchemaSolver::numbers(ValueId value) {
  if (!values_[value].numbers) {
    const NodeId texts = language(value, kNumberType);
    values_[value].numbers = texts == kAnything ? numbers_.any() : texts;
  }
  return *values_[value].numbers;
}

bool SchemaSolver::allows(ValueId value, TypeBit constant_type) {
  const std::vector<Literal> literals = values_[value].literals;
  return std::ranges::all_of(literals, [&](Literal each) { return constant(each, constant_type).value_or(false); });
}

std::optional<bool> SchemaSolver::constant(Literal literal, TypeBit type, int depth) {
  if (depth > kMaxSolverDepth) refuse_depth();
  const auto known = constants_.find(key_of(literal, type));
  if (known != constants_.end()) return known->second;
  count_step();
  const auto result = compute_constant(literal, type, depth);
  constants_[key_of(literal, type)] = result;
  return result;
}

std::optional<bool> SchemaSolver::compute_constant(Literal literal, TypeBit type, int depth) {
  const Formula formula = formulas_[formula_of(literal)];
  const bool negated = is_negated(literal);
  switch (formula.kind) {
    case FormulaKind::never: return negated;
    case FormulaKind::always: return !negated;
    case FormulaKind::types: return ((formula.a & type) != 0) != negated;
    case FormulaKind::negation: return constant(grammar::literal(formula.a, !negated), type, depth + 1);
    case FormulaKind::reference:
      return constant(grammar::literal(resolve(formula_of(literal)), negated), type, depth + 1);
    case FormulaKind::one: {
      const auto result = constant_of_one(formula, type, depth);
      return result ? std::optional(*result != negated) : std::nullopt;
    }
    case FormulaKind::all:
    case FormulaKind::any: {
      const bool is_all = (formula.kind == FormulaKind::all) != negated;
      bool is_open = false;
      for (uint32_t idx = 0; idx < formula.b; ++idx) {
        const auto child = constant(grammar::literal(formulas_.children(formula)[idx], negated), type, depth + 1);
        if (child && *child != is_all) return *child;
        is_open |= !child;
      }
      return is_open ? std::nullopt : std::optional(is_all);
    }
    default: return type_of_atom(formula.kind) == type ? std::nullopt : std::optional(!negated);
  }
}

std::optional<bool> SchemaSolver::constant_of_one(const Formula& formula, TypeBit type, int depth) {
  int n_true = 0, n_open = 0;
  for (uint32_t idx = 0; idx < formula.b; ++idx) {
    const auto child = constant(literal(formulas_.children(formula)[idx]), type, depth + 1);
    n_true += child && *child;
    n_open += !child;
  }
  if (n_true > 1) return false;
  return n_open > 0 ? std::nullopt : std::optional(n_true == 1);
}

bool SchemaSolver::is_proven_disjoint(FormulaId left, FormulaId right, TypeBit type) {
  const ValueId both = value({literal(left), literal(right), literal(formulas_.types(type))});
  const bool was_provisional = std::exchange(is_provisional_, false);
  const bool is_disjoint = !check(both) && !is_provisional_;
  is_provisional_ = was_provisional;
  return is_disjoint;
}

FormulaId SchemaSolver::spelled_out(FormulaId one, TypeBit type) {
  const auto known = spelled_out_.find(key_of(one, type));
  if (known != spelled_out_.end()) return known->second;
  const auto span = formulas_.children(formulas_[one]);
  std::vector<FormulaId> children;
  for (const FormulaId child : std::vector<FormulaId>(span.begin(), span.end())) {
    const auto fixed = constant(literal(child), type);
    if (!fixed || *fixed) children.push_back(child);
  }
  // A value of one alternative breaks all others that it could satisfy.
  std::vector<std::vector<FormulaId>> parts;
  for (const FormulaId child : children) parts.push_back({child});
  for (size_t left = 0; left < children.size(); ++left) {
    for (size_t right = left + 1; right < children.size(); ++right) {
      if (children[left] != children[right] && is_proven_disjoint(children[left], children[right], type)) continue;
      parts[left].push_back(formulas_.negation(children[right]));
      parts[right].push_back(formulas_.negation(children[left]));
    }
  }
  std::vector<FormulaId> alternatives;
  for (auto& part : parts) alternatives.push_back(formulas_.all(std::move(part)));
  const FormulaId result = formulas_.any(std::move(alternatives));
  spelled_out_[key_of(one, type)] = result;
  return result;
}

bool SchemaSolver::is_satisfiable(ValueId value) { return check(value); }

bool SchemaSolver::check(ValueId value) {
  switch (values_[value].verdict) {
    case Verdict::yes: return true;
    case Verdict::no: return false;
    case Verdict::in_progress: is_provisional_ = true; return false;
    case Verdict::unknown: break;
  }
  if (++depth_ > kMaxSolverDepth) refuse("values that require each other are nested too deeply");
  count_step();
  values_[value].verdict = Verdict::in_progress;
  const bool was_provisional = std::exchange(is_provisional_, false);
  const bool result = check_types(value);
  // Where nothing else is in progress, the answer took only this value itself for unsatisfiable.
  const bool is_final = result || !is_provisional_ || depth_ == 1;
  values_[value].verdict = result ? Verdict::yes : is_final ? Verdict::no : Verdict::unknown;
  is_provisional_ = depth_ > 1 && (was_provisional || (!result && is_provisional_));
  --depth_;
  return result;
}

bool SchemaSolver::check_types(ValueId value) {
  for (const TypeBit type : {kNullType, kFalseType, kTrueType})
    if (allows(value, type)) return true;
  if (automaton_.is_live(strings(value)) || automaton_.is_live(numbers(value))) return true;
  for (const TypeBit type : {kArrayType, kObjectType}) {
    const std::vector<uint32_t> shapes = candidates(value, type);
    if (std::ranges::any_of(shapes, [&](uint32_t shape) { return can_be_satisfied(shape, type); })) return true;
  }
  return false;
}

const std::vector<uint32_t>& SchemaSolver::candidates(ValueId value, TypeBit type) {
  const auto slot = [&]() -> std::optional<std::vector<uint32_t>>& {
    return type == kObjectType ? values_[value].objects : values_[value].arrays;
  };
  if (!slot()) {
    const std::vector<Literal> literals = values_[value].literals;
    std::vector<uint32_t> shapes;
    for (const Conjunction& atoms : expand_literals(*this, literals, type)) shapes.push_back(shape_of(atoms, type));
    slot() = std::move(shapes);
  }
  return *slot();
}

uint32_t SchemaSolver::shape_of(const Conjunction& atoms, TypeBit type) {
  const auto key = std::pair(type, atoms);
  if (const auto known = known_shapes_.find(key); known != known_shapes_.end()) return known->second;
  uint32_t shape = 0;
  if (type == kObjectType) {
    ObjectShape built = build_object_shape(*this, atoms);
    shape = static_cast<uint32_t>(object_shapes_.size());
    object_shapes_.push_back(std::move(built));
  } else {
    ArrayShape built = build_array_shape(*this, atoms);
    shape = static_cast<uint32_t>(array_shapes_.size());
    array_shapes_.push_back(std::move(built));
  }
  known_shapes_.emplace(key, shape);
  return shape;
}

bool SchemaSolver::can_be_satisfied(uint32_t shape, TypeBit type) {
  const auto is_satisfiable = [this](ValueId each) { return check(each); };
  if (type == kObjectType) return can_complete(object_shapes_[shape], {}, is_satisfiable);
  const ArrayShape& array = array_shapes_[shape];
  return can_complete(array, {.counts = std::vector<uint32_t>(array.demands.size())}, is_satisfiable);
}

std::vector<uint32_t> SchemaSolver::objects(ValueId value) {
  std::vector<uint32_t> shapes = candidates(value, kObjectType);
  std::erase_if(shapes, [&](uint32_t shape) { return !can_be_satisfied(shape, kObjectType); });
  return shapes;
}

std::vector<uint32_t> SchemaSolver::arrays(ValueId value) {
  std::vector<uint32_t> shapes = candidates(value, kArrayType);
  std::erase_if(shapes, [&](uint32_t shape) { return !can_be_satisfied(shape, kArrayType); });
  return shapes;
}

}  // namespace ogas::grammar
