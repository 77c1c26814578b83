#include "grammar/formula.h"

#include <algorithm>

#include "grammar/refusal.h"

namespace ogas::grammar {

Formulas::Formulas() : formulas_{{.kind = FormulaKind::never}, {.kind = FormulaKind::always}} {}

FormulaId Formulas::atom(const Formula& formula) {
  const auto [found, is_new] = known_.try_emplace(formula, static_cast<FormulaId>(formulas_.size()));
  if (is_new) {
    constexpr size_t kMaxFormulas = 1'000'000;
    if (formulas_.size() >= kMaxFormulas) refuse("it is too complex");
    formulas_.push_back(formula);
  }
  return found->second;
}

FormulaId Formulas::list(FormulaKind kind, std::vector<FormulaId> formulas) {
  const auto id = static_cast<FormulaId>(formulas_.size());
  const auto [found, is_new] = known_lists_.try_emplace(std::pair(kind, formulas), id);
  if (is_new) {
    formulas_.push_back(
        {.kind = kind, .a = static_cast<uint32_t>(children_.size()), .b = static_cast<uint32_t>(formulas.size())});
    children_.insert(children_.end(), formulas.begin(), formulas.end());
  }
  return found->second;
}

FormulaId Formulas::all(std::vector<FormulaId> formulas) {
  std::ranges::sort(formulas);
  formulas.erase(std::unique(formulas.begin(), formulas.end()), formulas.end());
  std::erase(formulas, kAlways);
  if (formulas.empty()) return kAlways;
  if (formulas[0] == kNever) return kNever;
  return formulas.size() == 1 ? formulas[0] : list(FormulaKind::all, std::move(formulas));
}

FormulaId Formulas::any(std::vector<FormulaId> formulas) {
  std::ranges::sort(formulas);
  formulas.erase(std::unique(formulas.begin(), formulas.end()), formulas.end());
  std::erase(formulas, kNever);
  if (formulas.empty()) return kNever;
  if (formulas[0] == kAlways) return kAlways;
  return formulas.size() == 1 ? formulas[0] : list(FormulaKind::any, std::move(formulas));
}

FormulaId Formulas::one(std::vector<FormulaId> formulas) {
  std::ranges::sort(formulas);
  std::erase(formulas, kNever);
  if (formulas.empty()) return kNever;
  return formulas.size() == 1 ? formulas[0] : list(FormulaKind::one, std::move(formulas));
}

FormulaId Formulas::negation(FormulaId formula) {
  if (formula == kNever) return kAlways;
  if (formula == kAlways) return kNever;
  if (formulas_[formula].kind == FormulaKind::negation) return formulas_[formula].a;
  return atom({.kind = FormulaKind::negation, .a = formula});
}

FormulaId Formulas::types(uint32_t bits) {
  if (bits == 0) return kNever;
  return bits == kAllTypes ? kAlways : atom({.kind = FormulaKind::types, .a = bits});
}

FormulaId Formulas::number(const NumberAtom& number) {
  return atom({.kind = FormulaKind::number, .a = number.satisfied, .b = number.broken});
}

FormulaId Formulas::key_values(const KeySet& keys, FormulaId value) {
  if (value == kAlways || (!keys.is_negated && keys.names.empty() && keys.patterns.empty())) return kAlways;
  return atom({.kind = FormulaKind::key_values, .a = key_set(keys), .b = value});
}

FormulaId Formulas::has_key(std::string_view name) {
  return atom({.kind = FormulaKind::has_key, .a = this->name(name)});
}

uint32_t Formulas::name(std::string_view name) {
  if (const auto found = known_names_.find(name); found != known_names_.end()) return found->second;
  const auto index = static_cast<uint32_t>(names_.size());
  names_.emplace_back(name);
  known_names_.emplace(name, index);
  return index;
}

uint32_t Formulas::key_set(const KeySet& keys) {
  const auto [found, is_new] = known_key_sets_.try_emplace(keys, static_cast<uint32_t>(key_sets_.size()));
  if (is_new) key_sets_.push_back(keys);
  return found->second;
}

uint32_t type_of_atom(FormulaKind kind) {
  switch (kind) {
    case FormulaKind::text: return kStringType;
    case FormulaKind::number:
    case FormulaKind::multiple: return kNumberType;
    case FormulaKind::key_values:
    case FormulaKind::key_names:
    case FormulaKind::has_key:
    case FormulaKind::min_keys:
    case FormulaKind::max_keys: return kObjectType;
    case FormulaKind::item_values:
    case FormulaKind::min_matching:
    case FormulaKind::max_matching:
    case FormulaKind::min_items:
    case FormulaKind::max_items:
    case FormulaKind::unique_items: return kArrayType;
    default: return 0;
  }
}

}  // namespace ogas::grammar
