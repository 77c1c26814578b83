// Keywords of strings, numbers, arrays and objects.
#include <algorithm>
#include <numeric>

#include "base/quote.h"
#include "grammar/formats.h"
#include "grammar/schema_reader.h"

namespace ogas::grammar {

FormulaId SchemaReader::min_length(const JsonValue&, const JsonValue& value) {
  return text_atom(strings_.regexes().repeat(strings_.any_character(), count(value)));
}

FormulaId SchemaReader::max_length(const JsonValue&, const JsonValue& value) {
  return text_atom(strings_.regexes().repeat(strings_.any_character(), 0, count(value)));
}

FormulaId SchemaReader::string_pattern(const JsonValue&, const JsonValue& value) {
  if (!value.is_string()) refuse_broken("it is {}, not a string", kind_name(value));
  return text_atom(pattern(value.text));
}

FormulaId SchemaReader::format(const JsonValue&, const JsonValue& value) {
  if (!value.is_string()) return kAlways;
  const auto texts = format_texts(strings_, value.text);
  return texts ? text_atom(*texts) : kAlways;
}

FormulaId SchemaReader::bound(const JsonValue& schema, const JsonValue& value, bool is_minimum, bool is_exclusive) {
  (void)schema;
  const Decimal number = this->number(value);
  return formulas_.number(is_minimum ? numbers_.minimum(number, is_exclusive) : numbers_.maximum(number, is_exclusive));
}

FormulaId SchemaReader::minimum(const JsonValue& schema, const JsonValue& value) {
  const JsonValue* exclusive = schema.find("exclusiveMinimum");  // draft 4: a boolean
  return bound(schema, value, true, exclusive && exclusive->is_boolean() && exclusive->boolean);
}

FormulaId SchemaReader::maximum(const JsonValue& schema, const JsonValue& value) {
  const JsonValue* exclusive = schema.find("exclusiveMaximum");
  return bound(schema, value, false, exclusive && exclusive->is_boolean() && exclusive->boolean);
}

FormulaId SchemaReader::exclusive_minimum(const JsonValue& schema, const JsonValue& value) {
  return value.is_boolean() ? kAlways : bound(schema, value, true, true);
}

FormulaId SchemaReader::exclusive_maximum(const JsonValue& schema, const JsonValue& value) {
  return value.is_boolean() ? kAlways : bound(schema, value, false, true);
}

FormulaId SchemaReader::multiple_of(const JsonValue&, const JsonValue& value) {
  const Decimal number = this->number(value);
  if (number.is_negative || number.is_zero()) refuse_broken("a divisor is greater than 0");
  constexpr uint64_t kMax = 1u << 31;
  constexpr int64_t kMaxDigits = 9;
  if (!number.fits(kMaxDigits)) refuse("{} has too many digits for a divisor", in_quotes(value.text));
  const std::string fraction = number.fraction();
  const uint64_t p = std::stoull(number.whole() + fraction);
  if (p >= kMax) refuse("{} has too many digits for a divisor", in_quotes(value.text));
  return formulas_.atom(
      {.kind = FormulaKind::multiple, .a = static_cast<uint32_t>(p), .b = static_cast<uint32_t>(fraction.size())});
}

FormulaId SchemaReader::items(const JsonValue& schema, const JsonValue& value) {
  uint32_t begin = 0;
  if (value.is_array()) {  // before 2020-12: what is prefixItems now
    return prefix_items(schema, value);
  }
  if (const JsonValue* prefix = schema.find("prefixItems"); prefix && prefix->is_array())
    begin = static_cast<uint32_t>(prefix->items.size());
  const FormulaId each = read_object(value);
  if (each == kAlways) return kAlways;
  return formulas_.atom({.kind = FormulaKind::item_values, .a = begin, .b = kUnbounded, .c = each});
}

FormulaId SchemaReader::prefix_items(const JsonValue&, const JsonValue& value) {
  const std::vector<FormulaId> each = list_of(value);
  std::vector<FormulaId> parts;
  for (uint32_t idx = 0; idx < each.size(); ++idx)
    if (each[idx] != kAlways)
      parts.push_back(formulas_.atom({.kind = FormulaKind::item_values, .a = idx, .b = idx + 1, .c = each[idx]}));
  return formulas_.all(std::move(parts));
}

FormulaId SchemaReader::additional_items(const JsonValue& schema, const JsonValue& value) {
  const JsonValue* prefix = schema.find("items");
  if (!prefix || !prefix->is_array()) return kAlways;
  const FormulaId each = read_object(value);
  if (each == kAlways) return kAlways;
  const auto begin = static_cast<uint32_t>(prefix->items.size());
  return formulas_.atom({.kind = FormulaKind::item_values, .a = begin, .b = kUnbounded, .c = each});
}

FormulaId SchemaReader::contains(const JsonValue& schema, const JsonValue& value) {
  const FormulaId each = read_object(value);
  const JsonValue *min_value = schema.find("minContains"), *max_value = schema.find("maxContains");
  const uint32_t min = min_value ? count(*min_value) : 1;
  std::vector<FormulaId> parts;
  if (min > 0)
    parts.push_back(formulas_.atom({.kind = FormulaKind::min_matching, .a = 0, .b = kUnbounded, .c = each, .d = min}));
  if (max_value)
    parts.push_back(formulas_.atom(
        {.kind = FormulaKind::max_matching, .a = 0, .b = kUnbounded, .c = each, .d = count(*max_value)}));
  return formulas_.all(std::move(parts));
}

// The values that a schema allows, and perhaps others; nullopt: there is no end of them, or it is not plain to see.
// n_schemas: how many more may be looked at.
std::optional<std::vector<const JsonValue*>> SchemaReader::finite_values(const JsonValue& schema,
                                                                         int& n_schemas) const {
  if (--n_schemas < 0 || !schema.is_object()) return std::nullopt;
  std::vector<const JsonValue*> values;
  if (const JsonValue* given = schema.find("const")) return std::vector{given};
  if (const JsonValue* given = schema.find("enum"); given && given->is_array()) {
    for (const JsonValue& each : given->items) values.push_back(&each);
    return values;
  }
  if (const JsonValue* given = schema.find("$ref"); given && given->is_string())
    return finite_values(*references_.find(schema, given->text).schema, n_schemas);
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const JsonValue* given = schema.find(keyword);
    if (!given || !given->is_array()) continue;
    for (const JsonValue& each : given->items) {
      const auto some = finite_values(each, n_schemas);
      if (!some) return std::nullopt;
      values.insert(values.end(), some->begin(), some->end());
    }
    return values;
  }
  return std::nullopt;
}

// Items that can have few values are each counted. This holds next to `items` only, which allows no others.
FormulaId SchemaReader::unique_items(const JsonValue& schema, const JsonValue& value) {
  constexpr size_t kMaxValues = 8;
  if (!value.is_boolean() || !value.boolean || is_lenient_) return kAlways;
  const JsonValue* items = schema.find("items");
  int n_schemas = 256;
  const auto values = items && !schema.find("prefixItems") ? finite_values(*items, n_schemas) : std::nullopt;
  if (values && values->size() <= kMaxValues) {
    std::vector<FormulaId> parts;
    for (const JsonValue* each : *values)
      parts.push_back(
          formulas_.atom({.kind = FormulaKind::max_matching, .a = 0, .b = kUnbounded, .c = constant(*each), .d = 1}));
    return formulas_.all(std::move(parts));
  }
  unique_pointers_.push_back(pointer_);
  return formulas_.atom({.kind = FormulaKind::unique_items, .a = static_cast<uint32_t>(unique_pointers_.size() - 1)});
}

FormulaId SchemaReader::min_items(const JsonValue&, const JsonValue& value) {
  const uint32_t n_items = count(value);
  return n_items == 0 ? kAlways : formulas_.atom({.kind = FormulaKind::min_items, .a = n_items});
}

FormulaId SchemaReader::max_items(const JsonValue&, const JsonValue& value) {
  return formulas_.atom({.kind = FormulaKind::max_items, .a = count(value)});
}

FormulaId SchemaReader::properties(const JsonValue&, const JsonValue& value) {
  if (!value.is_object()) refuse_broken("it is {}, not an object", kind_name(value));
  std::vector<FormulaId> parts;
  for (const auto& [key, child] : value.members) {
    const KeySet keys = {.names = {formulas_.name(key)}};
    const FormulaId formula = schema(child, key);
    if (formula == kAlways && keeps_names_) {
      parts.push_back(formulas_.atom({.kind = FormulaKind::key_values, .a = formulas_.key_set(keys), .b = kAlways}));
    } else {
      parts.push_back(formulas_.key_values(keys, formula));
    }
  }
  return formulas_.all(std::move(parts));
}

FormulaId SchemaReader::pattern_properties(const JsonValue&, const JsonValue& value) {
  if (!value.is_object()) refuse_broken("it is {}, not an object", kind_name(value));
  std::vector<FormulaId> parts;
  for (const auto& [key, child] : value.members)
    parts.push_back(formulas_.key_values({.patterns = {pattern(key)}}, schema(child, key)));
  return formulas_.all(std::move(parts));
}

FormulaId SchemaReader::additional_properties(const JsonValue& schema, const JsonValue& value) {
  KeySet others{.is_negated = true};
  if (const JsonValue* named = schema.find("properties"))
    for (const auto& [key, child] : named->members) others.names.push_back(formulas_.name(key));
  if (const JsonValue* patterns = schema.find("patternProperties"))
    for (const auto& [key, child] : patterns->members) others.patterns.push_back(pattern(key));
  std::ranges::sort(others.names);
  std::ranges::sort(others.patterns);
  return formulas_.key_values(others, read_object(value));
}

FormulaId SchemaReader::property_names(const JsonValue&, const JsonValue& value) {
  // Which strings satisfy it is only known once all references are read, so it is kept as a formula.
  const FormulaId names = read_object(value);
  return names == kAlways ? kAlways : formulas_.atom({.kind = FormulaKind::key_names, .a = names});
}

FormulaId SchemaReader::required(const JsonValue&, const JsonValue& value) {
  if (!value.is_array()) refuse_broken("it is {}, not an array of names", kind_name(value));
  std::vector<FormulaId> parts;
  for (const JsonValue& name : value.items) {
    if (!name.is_string()) refuse_broken("a required name is {}, not a string", kind_name(name));
    parts.push_back(formulas_.has_key(name.text));
  }
  return formulas_.all(std::move(parts));
}

FormulaId SchemaReader::min_properties(const JsonValue&, const JsonValue& value) {
  const uint32_t n_keys = count(value);
  return n_keys == 0 ? kAlways : formulas_.atom({.kind = FormulaKind::min_keys, .a = n_keys});
}

FormulaId SchemaReader::max_properties(const JsonValue&, const JsonValue& value) {
  return formulas_.atom({.kind = FormulaKind::max_keys, .a = count(value)});
}

// dependencies, dependentRequired and dependentSchemas: where the key is, a list of names or a schema counts.
FormulaId SchemaReader::dependent(const JsonValue&, const JsonValue& value) {
  if (!value.is_object()) refuse_broken("it is {}, not an object", kind_name(value));
  std::vector<FormulaId> parts;
  for (const auto& [key, child] : value.members) {
    FormulaId consequence = kAlways;
    if (child.is_array()) {
      consequence = required(child, child);
    } else if (child.is_string()) {
      consequence = formulas_.has_key(child.text);
    } else {
      consequence = schema(child, key);
    }
    const FormulaId is_there = formulas_.all({formulas_.types(kObjectType), formulas_.has_key(key)});
    parts.push_back(formulas_.any({formulas_.negation(is_there), consequence}));
  }
  return formulas_.all(std::move(parts));
}

bool SchemaReader::evaluated_keys(const JsonValue& schema, KeySet& keys, bool& has_all, int depth) {
  if (!schema.is_object()) return true;
  if (depth > 50) return false;
  for (const std::string_view key : {"anyOf", "oneOf", "if", "dependentSchemas", "dependencies", "$dynamicRef"})
    if (schema.find(key)) return false;
  if (const JsonValue* named = schema.find("properties"))
    for (const auto& [key, child] : named->members) keys.names.push_back(formulas_.name(key));
  if (const JsonValue* patterns = schema.find("patternProperties"))
    for (const auto& [key, child] : patterns->members) keys.patterns.push_back(pattern(key));
  if (schema.find("additionalProperties")) has_all = true;
  if (depth > 0 && schema.find("unevaluatedProperties")) has_all = true;
  if (const JsonValue* all = schema.find("allOf"))
    for (const JsonValue& each : all->items)
      if (!evaluated_keys(each, keys, has_all, depth + 1)) return false;
  const JsonValue* reference = schema.find("$ref");
  return !reference || !reference->is_string() ||
         evaluated_keys(*references_.find(schema, reference->text).schema, keys, has_all, depth + 1);
}

FormulaId SchemaReader::unevaluated_properties(const JsonValue& schema, const JsonValue& value) {
  const FormulaId each = read_object(value);
  if (each == kAlways) return kAlways;
  KeySet others{.is_negated = true};
  bool has_all = false;
  if (!evaluated_keys(schema, others, has_all, 0))
    refuse("'unevaluatedProperties' next to anyOf, oneOf, if or dependentSchemas is not supported");
  if (has_all) return kAlways;
  std::ranges::sort(others.names);
  others.names.erase(std::unique(others.names.begin(), others.names.end()), others.names.end());
  std::ranges::sort(others.patterns);
  return formulas_.key_values(others, each);
}

bool SchemaReader::evaluated_items(const JsonValue& schema, uint32_t& n_items, int depth) {
  if (!schema.is_object()) return true;
  if (depth > 50) return false;
  for (const std::string_view key : {"anyOf", "oneOf", "if", "dependentSchemas", "contains", "$dynamicRef"})
    if (schema.find(key)) return false;
  const JsonValue *prefix = schema.find("prefixItems"), *items = schema.find("items");
  if (prefix) n_items = std::max(n_items, static_cast<uint32_t>(prefix->items.size()));
  if (items && items->is_array()) n_items = std::max(n_items, static_cast<uint32_t>(items->items.size()));
  if ((items && !items->is_array()) || schema.find("additionalItems")) n_items = kUnbounded;
  if (depth > 0 && schema.find("unevaluatedItems")) n_items = kUnbounded;
  if (const JsonValue* all = schema.find("allOf"))
    for (const JsonValue& each : all->items)
      if (!evaluated_items(each, n_items, depth + 1)) return false;
  const JsonValue* reference = schema.find("$ref");
  return !reference || !reference->is_string() ||
         evaluated_items(*references_.find(schema, reference->text).schema, n_items, depth + 1);
}

FormulaId SchemaReader::unevaluated_items(const JsonValue& schema, const JsonValue& value) {
  const FormulaId each = read_object(value);
  if (each == kAlways) return kAlways;
  uint32_t n_items = 0;
  if (!evaluated_items(schema, n_items, 0))
    refuse("'unevaluatedItems' next to anyOf, oneOf, if, contains or dependentSchemas is not supported");
  if (n_items == kUnbounded) return kAlways;
  return formulas_.atom({.kind = FormulaKind::item_values, .a = n_items, .b = kUnbounded, .c = each});
}

}  // namespace ogas::grammar
