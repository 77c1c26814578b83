#include "grammar/shape_builder.h"

#include <algorithm>
#include <unordered_map>

#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

// Options for a value that must satisfy `literals`, and may be counted for each of `demands` (bits) by satisfying its
// literal. With `exact`, a value that is not counted for one of these must break its literal.
std::vector<ValueOption> options_for(SchemaSolver& solver, const std::vector<Literal>& literals,
                                     const std::vector<Literal>& demands, uint32_t applicable, uint32_t exact) {
  std::vector<ValueOption> options;
  if (std::ranges::find(literals, literal(kNever)) != literals.end()) return options;
  for (uint32_t claimed = applicable;; claimed = (claimed - 1) & applicable) {
    std::vector<Literal> all = literals;
    for (uint32_t idx = 0; idx < demands.size(); ++idx) {
      if ((claimed >> idx) & 1) all.push_back(demands[idx]);
      if (((applicable & exact & ~claimed) >> idx) & 1) all.push_back(opposite(demands[idx]));
    }
    options.push_back({.value = solver.value(std::move(all)), .demands = claimed});
    if (claimed == 0) break;
  }
  return options;
}

constexpr size_t kMaxDemands = 8;

class ObjectBuilder {
 public:
  explicit ObjectBuilder(SchemaSolver& solver) : solver_(solver), regexes_(solver.automaton().regexes()) {}

  ObjectShape run(const Conjunction& atoms) {
    for (const Literal atom : atoms) read(atom);
    if (demands_.size() > kMaxDemands) refuse("it needs more than {} members that it does not name", kMaxDemands);
    shape_.demands.resize(demands_.size(), {.min = 1});
    add_names();
    add_classes();
    return std::move(shape_);
  }

 private:
  // Members with keys of the set satisfy the literal; or, as a demand, one of them must.
  struct Condition {
    KeySet keys;
    Literal value;
  };

  void read(Literal atom) {
    const Formula formula = solver_.formulas()[formula_of(atom)];
    const bool negated = is_negated(atom);
    switch (formula.kind) {
      case FormulaKind::has_key: return read_has_key(formula.a, negated);
      case FormulaKind::min_keys:
        if (negated) return limit(formula.a == 0 ? kUnbounded : formula.a - 1, formula.a == 0);
        shape_.min_keys = std::max(shape_.min_keys, formula.a);
        return;
      case FormulaKind::max_keys:
        if (!negated) return limit(formula.a, false);
        shape_.min_keys = std::max(shape_.min_keys, formula.a + 1);
        return;
      case FormulaKind::key_values:
        return add({solver_.formulas().key_set_of(formula.a), literal(formula.b, negated)}, negated);
      case FormulaKind::key_names: return read_key_names(formula.a, negated);
      default: return;
    }
  }

  void limit(uint32_t max, bool is_impossible) {
    shape_.max_keys = std::min(shape_.max_keys, max);
    if (is_impossible) shape_.min_keys = kUnbounded;
  }

  void read_has_key(uint32_t name, bool negated) {
    if (negated) {
      add({{.names = {name}}, literal(kNever)}, false);
    } else {
      is_required_[name] = true;
      names_.push_back(name);
    }
  }

  // Keys that break it have no value; or, negated, there is one.
  void read_key_names(FormulaId names, bool negated) {
    const NodeId texts = solver_.language(solver_.value({literal(names)}), kStringType);
    if (texts == kAnything) {
      if (negated) shape_.min_keys = kUnbounded;
      return;
    }
    KeySet others;
    if (texts == kNothing) {
      others.is_negated = true;  // all keys
    } else {
      others.patterns = {solver_.encoding().all_but(texts)};
    }
    add({others, literal(negated ? kAlways : kNever)}, negated);
  }

  void add(Condition condition, bool is_demand) {
    names_.insert(names_.end(), condition.keys.names.begin(), condition.keys.names.end());
    if (is_demand) {
      demands_.push_back(condition);
    } else if (condition.keys.is_negated || !condition.keys.patterns.empty()) {
      conditions_.push_back(condition);
    } else {
      for (const uint32_t name : condition.keys.names) by_name_[name].push_back(condition.value);
    }
    patterns_.insert(patterns_.end(), condition.keys.patterns.begin(), condition.keys.patterns.end());
  }

  bool has_name(const KeySet& keys, uint32_t name, const std::string& spelled) {
    const bool is_in = std::ranges::binary_search(keys.names, name) ||
                       std::ranges::any_of(keys.patterns, [&](NodeId each) { return is_match(each, name, spelled); });
    return is_in != keys.is_negated;
  }

  bool is_match(NodeId pattern, uint32_t name, const std::string& spelled) {
    const auto [found, is_new] = matches_.try_emplace(uint64_t{pattern} << 32 | name, false);
    if (is_new) found->second = matches(regexes_, pattern, spelled);
    return found->second;
  }

  void add_names() {
    std::ranges::sort(names_);
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
    for (const uint32_t name : names_) {
      solver_.count_step();
      const std::string spelled = solver_.encoding().spell(decode_utf8(solver_.formulas().name_of(name)));
      std::vector<Literal> literals;
      if (const auto own = by_name_.find(name); own != by_name_.end()) literals = own->second;
      for (const Condition& condition : conditions_)
        if (has_name(condition.keys, name, spelled)) literals.push_back(condition.value);
      uint32_t applicable = 0;
      for (size_t idx = 0; idx < demands_.size(); ++idx)
        if (has_name(demands_[idx].keys, name, spelled)) applicable |= 1u << idx;
      shape_.names.push_back({.name = name,
                              .is_required = is_required_.contains(name),
                              .options = options_for(solver_, literals, demand_values(), applicable, 0)});
    }
  }

  std::vector<Literal> demand_values() const {
    std::vector<Literal> values;
    for (const Condition& demand : demands_) values.push_back(demand.value);
    return values;
  }

  // A class of keys: those that match exactly these patterns.
  struct Class {
    NodeId texts;
    std::vector<NodeId> matched;
  };

  bool has_class(const KeySet& keys, const Class& keys_class) const {
    const auto is_in = [&](NodeId pattern) {
      return std::ranges::find(keys_class.matched, pattern) != keys_class.matched.end();
    };
    return std::ranges::any_of(keys.patterns, is_in) != keys.is_negated;
  }

  // Whether no key without a name may occur, as with "additionalProperties": false.
  bool is_closed() const {
    return patterns_.empty() && std::ranges::any_of(conditions_, [](const Condition& condition) {
             return condition.keys.is_negated && condition.value == literal(kNever);
           });
  }

  std::vector<Class> split_classes() {
    constexpr size_t kMaxClasses = 64;
    std::vector<std::u32string> texts;
    for (const uint32_t name : names_) texts.push_back(decode_utf8(solver_.formulas().name_of(name)));
    const NodeId named = texts.empty() ? kNothing : solver_.encoding().texts(texts);
    std::vector<Class> classes = {{solver_.encoding().all_but(named), {}}};
    std::ranges::sort(patterns_);
    patterns_.erase(std::unique(patterns_.begin(), patterns_.end()), patterns_.end());
    for (const NodeId pattern : patterns_) {
      std::vector<Class> next;
      for (const Class& each : classes) {
        Class inside = {regexes_.intersection(each.texts, pattern), each.matched};
        inside.matched.push_back(pattern);
        if (solver_.automaton().is_live(inside.texts)) next.push_back(std::move(inside));
        Class outside = {regexes_.intersection(each.texts, solver_.encoding().all_but(pattern)), each.matched};
        if (solver_.automaton().is_live(outside.texts)) next.push_back(std::move(outside));
      }
      classes = std::move(next);
      if (classes.size() > kMaxClasses) refuse("its patterns of keys overlap in more than {} ways", kMaxClasses);
    }
    return classes;
  }

  void add_classes() {
    if (is_closed()) return;
    for (const Class& each : split_classes()) {
      std::vector<Literal> literals;
      for (const Condition& condition : conditions_)
        if (has_class(condition.keys, each)) literals.push_back(condition.value);
      uint32_t applicable = 0;
      for (size_t idx = 0; idx < demands_.size(); ++idx)
        if (has_class(demands_[idx].keys, each)) applicable |= 1u << idx;
      KeyClass made{.texts = each.texts, .options = options_for(solver_, literals, demand_values(), applicable, 0)};
      if (made.options.empty()) continue;
      const bool is_counted = shape_.min_keys > 0 || !demands_.empty();
      made.capacity = is_counted ? solver_.automaton().count_texts(each.texts, kMaxCapacity) : kMaxCapacity;
      shape_.classes.push_back(std::move(made));
    }
  }

  SchemaSolver& solver_;
  Regexes& regexes_;
  ObjectShape shape_;
  std::vector<uint32_t> names_;
  std::unordered_map<uint32_t, bool> is_required_;
  std::unordered_map<uint32_t, std::vector<Literal>> by_name_;
  std::unordered_map<uint64_t, bool> matches_;
  std::vector<Condition> conditions_, demands_;
  std::vector<NodeId> patterns_;
};

class ArrayBuilder {
 public:
  explicit ArrayBuilder(SchemaSolver& solver) : solver_(solver) {}

  ArrayShape run(const Conjunction& atoms) {
    for (const Literal atom : atoms) read(atom);
    check_unique();
    settle_demands();
    add_items();
    return std::move(shape_);
  }

 private:
  // Items from begin to end (exclusive).
  struct Condition {
    uint32_t begin, end;
    Literal value;
    Demand demand = {};
    bool covers(uint32_t index) const { return index >= begin && index < end; }
  };

  void read(Literal atom) {
    const Formula formula = solver_.formulas()[formula_of(atom)];
    const bool negated = is_negated(atom);
    const uint32_t before = formula.d == 0 ? 0 : formula.d - 1;
    switch (formula.kind) {
      case FormulaKind::item_values:
        if (negated) return demand({formula.a, formula.b, literal(formula.c, true), {.min = 1}});
        conditions_.push_back({formula.a, formula.b, literal(formula.c)});
        return;
      case FormulaKind::min_matching:
        return demand(
            {formula.a, formula.b, literal(formula.c), negated ? Demand{.max = before} : Demand{.min = formula.d}});
      case FormulaKind::max_matching:
        return demand({formula.a, formula.b, literal(formula.c),
                       negated ? Demand{.min = formula.d + 1} : Demand{.max = formula.d}});
      case FormulaKind::min_items:
        if (negated)
          shape_.max_items = std::min(shape_.max_items, formula.a - 1);  // a minimum of 0 never becomes an atom
        else
          shape_.min_items = std::max(shape_.min_items, formula.a);
        return;
      case FormulaKind::max_items:
        if (negated)
          shape_.min_items = std::max(shape_.min_items, formula.a + 1);
        else
          shape_.max_items = std::min(shape_.max_items, formula.a);
        return;
      case FormulaKind::unique_items:
        unique_ = negated ? unique_ : formula.a;
        not_unique_ = negated ? std::optional(formula.a) : not_unique_;
        return;
      default: return;
    }
  }

  void demand(const Condition& condition) {
    for (Condition& known : demands_) {
      if (known.begin != condition.begin || known.end != condition.end || known.value != condition.value) continue;
      known.demand.min = std::max(known.demand.min, condition.demand.min);
      known.demand.max = std::min(known.demand.max, condition.demand.max);
      return;
    }
    demands_.push_back(condition);
  }

  void check_unique() {
    const auto refuse_at = [&](uint32_t index, std::string_view what) {
      throw Refusal{.reason = std::string(what), .pointer = solver_.unique_pointer(index)};
    };
    if (not_unique_) refuse_at(*not_unique_, "the opposite of 'uniqueItems' is not supported");
    if (unique_ && shape_.max_items > 1)
      refuse_at(*unique_, "'uniqueItems' is not supported where there can be two items");
  }

  void settle_demands() {
    constexpr uint32_t kMaxCount = 200;
    for (const Condition& each : demands_) {
      if (each.demand.max == 0) conditions_.push_back({each.begin, each.end, opposite(each.value)});
      if (each.demand.min > each.demand.max) shape_.min_items = kUnbounded;  // nothing satisfies it
      if (each.demand.max != kUnbounded && each.demand.max > kMaxCount)
        refuse("a 'maxContains' of more than {} is not supported", kMaxCount);
    }
    std::erase_if(demands_, [](const Condition& each) {
      return each.demand.max == 0 || (each.demand.min == 0 && each.demand.max == kUnbounded);
    });
    if (demands_.size() > kMaxDemands) refuse("it needs more than {} kinds of items", kMaxDemands);
    for (const Condition& each : demands_) shape_.demands.push_back(each.demand);
  }

  void add_items() {
    constexpr uint32_t kMaxPrefix = 2000;
    uint32_t n_distinct = 0;
    for (const auto* list : {&conditions_, &demands_}) {
      for (const Condition& each : *list) {
        n_distinct = std::max(n_distinct, each.begin);
        if (each.end != kUnbounded) n_distinct = std::max(n_distinct, each.end);
      }
    }
    if (n_distinct > kMaxPrefix) refuse("more than {} items with schemas of their own are not supported", kMaxPrefix);
    std::vector<std::vector<Literal>> literals(n_distinct + 1);
    for (const Condition& each : conditions_)
      for (uint32_t idx = each.begin; idx < std::min(each.end, n_distinct + 1); ++idx)
        literals[idx].push_back(each.value);
    for (uint32_t idx = 0; idx <= n_distinct; ++idx) shape_.items.push_back(item_options(idx, literals[idx]));
  }

  std::vector<ValueOption> item_options(uint32_t index, const std::vector<Literal>& literals) {
    std::vector<Literal> demands;
    uint32_t applicable = 0, exact = 0;
    for (size_t idx = 0; idx < demands_.size(); ++idx) {
      demands.push_back(demands_[idx].value);
      if (demands_[idx].covers(index)) applicable |= 1u << idx;
      if (demands_[idx].demand.max != kUnbounded) exact |= 1u << idx;
    }
    return options_for(solver_, literals, demands, applicable, exact);
  }

  SchemaSolver& solver_;
  ArrayShape shape_;
  std::vector<Condition> conditions_, demands_;
  std::optional<uint32_t> unique_, not_unique_;
};

}  // namespace

ObjectShape build_object_shape(SchemaSolver& solver, const Conjunction& atoms) {
  return ObjectBuilder(solver).run(atoms);
}

ArrayShape build_array_shape(SchemaSolver& solver, const Conjunction& atoms) { return ArrayBuilder(solver).run(atoms); }

}  // namespace ogas::grammar
