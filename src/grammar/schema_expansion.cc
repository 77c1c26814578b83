#include "grammar/schema_expansion.h"

#include <algorithm>

#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

class Expansion {
 public:
  Expansion(SchemaSolver& solver, TypeBit type) : solver_(solver), formulas_(solver.formulas()), type_(type) {}

  std::vector<Conjunction> run(const std::vector<Literal>& literals) {
    expand(literals, {}, {});
    return without_redundant();
  }

 private:
  // Every literal of `pending` holds, so do the atoms, and one child of each of `choices`.
  void expand(std::vector<Literal> pending, Conjunction atoms, std::vector<Literal> choices) {
    while (!pending.empty()) {
      const Literal next = pending.back();
      pending.pop_back();
      if (!take(next, pending, atoms, choices)) return;
    }
    choose(atoms, std::move(choices));
  }

  // False: nothing satisfies it.
  bool take(Literal next, std::vector<Literal>& pending, Conjunction& atoms, std::vector<Literal>& choices) {
    solver_.count_step();
    if (const auto constant = solver_.constant(next, type_)) return *constant;
    const bool negated = is_negated(next);
    const Formula formula = formulas_[formula_of(next)];
    switch (formula.kind) {
      case FormulaKind::negation: pending.push_back(literal(formula.a, !negated)); return true;
      case FormulaKind::reference: pending.push_back(literal(solver_.resolve(formula_of(next)), negated)); return true;
      case FormulaKind::one:
        pending.push_back(literal(solver_.spelled_out(formula_of(next), type_), negated));
        return true;
      case FormulaKind::all:
      case FormulaKind::any:
        if ((formula.kind == FormulaKind::all) == negated) {
          choices.push_back(next);
        } else {
          for (const FormulaId child : formulas_.children(formula)) pending.push_back(literal(child, negated));
        }
        return true;
      default: break;
    }
    const auto at = std::ranges::lower_bound(atoms, next);
    if (std::ranges::binary_search(atoms, opposite(next))) return false;
    if (at == atoms.end() || *at != next) atoms.insert(at, next);
    return true;
  }

  // The children of a choice that the atoms leave open. Empty and `is_met`: one of them holds already.
  std::vector<Literal> open_children(Literal choice, const Conjunction& atoms, bool& is_met) {
    std::vector<Literal> result;
    is_met = false;
    for (const FormulaId child : formulas_.children(formulas_[formula_of(choice)])) {
      Literal each = literal(child, is_negated(choice));
      while (formulas_[formula_of(each)].kind == FormulaKind::negation)
        each = literal(formulas_[formula_of(each)].a, !is_negated(each));
      const auto constant = solver_.constant(each, type_);
      if ((constant && *constant) || std::ranges::binary_search(atoms, each)) {
        is_met = true;
        return {};
      }
      if ((constant && !*constant) || std::ranges::binary_search(atoms, opposite(each))) continue;
      result.push_back(each);
    }
    return result;
  }

  // Takes the choice with the fewest children first.
  void choose(const Conjunction& atoms, std::vector<Literal> choices) {
    constexpr size_t kMaxChoices = 500;
    if (choices.size() > kMaxChoices) refuse("it has more than {} alternatives at once", kMaxChoices);
    std::vector<Literal> open, best;
    Literal chosen = 0;
    for (const Literal choice : choices) {
      bool is_met = false;
      std::vector<Literal> children = open_children(choice, atoms, is_met);
      if (is_met) continue;
      if (children.empty()) return;
      if (open.empty() || children.size() < best.size()) {
        best = std::move(children);
        chosen = choice;
      }
      open.push_back(choice);
    }
    if (open.empty()) return add(atoms);
    std::erase(open, chosen);
    for (const Literal child : best) expand({child}, atoms, open);
  }

  void add(const Conjunction& atoms) {
    constexpr size_t kMaxConjunctions = 1000;
    found_.insert(atoms);
    if (found_.size() > kMaxConjunctions) refuse("its alternatives combine in more than {} ways", kMaxConjunctions);
  }

  // A conjunction that includes another is covered by it.
  std::vector<Conjunction> without_redundant() const {
    std::vector<Conjunction> all(found_.begin(), found_.end()), result;
    std::ranges::stable_sort(all, {}, &Conjunction::size);
    for (const Conjunction& each : all) {
      const auto covers = [&](const Conjunction& other) { return std::ranges::includes(each, other); };
      if (result.size() > 200 || std::ranges::none_of(result, covers)) result.push_back(each);
    }
    return result;
  }

  SchemaSolver& solver_;
  const Formulas& formulas_;
  TypeBit type_;
  std::set<Conjunction> found_;
};

}  // namespace

std::vector<Conjunction> expand_literals(SchemaSolver& solver, const std::vector<Literal>& literals, TypeBit type) {
  return Expansion(solver, type).run(literals);
}

}  // namespace ogas::grammar
