#include "grammar/schema_reader.h"

#include <algorithm>

#include "base/quote.h"
#include "grammar/pattern.h"

namespace ogas::grammar {
namespace {

std::string pointer_token(std::string_view key) {
  std::string result;
  for (const char c : key) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return result;
}

std::string_view draft_of(const JsonValue& root) {
  const JsonValue* draft = root.find("$schema");
  return draft && draft->is_string() ? std::string_view(draft->text) : "";
}

bool is_old_draft(const JsonValue& root) {
  const std::string_view uri = draft_of(root);
  return uri.contains("draft-04") || uri.contains("draft-06") || uri.contains("draft-07");
}

}  // namespace

// What is read is at this token of the JSON pointer until the end of the scope.
class SchemaReader::Location {
 public:
  Location(SchemaReader& reader, std::string_view token) : reader_(reader), size_(reader.pointer_.size()) {
    reader.pointer_ += "/" + pointer_token(token);
  }
  Location(const Location&) = delete;
  Location& operator=(const Location&) = delete;
  ~Location() { reader_.pointer_.resize(size_); }

 private:
  SchemaReader& reader_;
  size_t size_;
};

SchemaReader::SchemaReader(Formulas& formulas, TextEncoding& strings, NumberLanguage& numbers, const JsonValue& root,
                           const SchemaOptions& options)
    : formulas_(formulas),
      strings_(strings),
      numbers_(numbers),
      ref_has_no_siblings_(is_old_draft(root)),
      references_(root, ref_has_no_siblings_),
      is_lenient_(options.is_lenient),
      keeps_names_(options.keeps_order) {
  const std::string_view uri = draft_of(root);
  integers_have_no_point_ = options.plain_integers || uri.contains("draft-04");
  for (const std::string_view old : {"draft-03", "draft-02", "draft-01", "draft-00"})
    if (uri.contains(old)) refuse("{} is not supported: the oldest draft that is read is draft-04", in_quotes(uri));
  if (!uri.empty() && !uri.contains("json-schema.org/") && !is_lenient_)
    refuse("$schema is {}: what its keywords mean is not known; known are the drafts of json-schema.org",
           in_quotes(uri));
}

const std::unordered_map<std::string_view, SchemaReader::Keyword>& SchemaReader::keywords() {
  using R = SchemaReader;
  static const std::unordered_map<std::string_view, Keyword> table = {
      {"type", &R::type},
      {"enum", &R::enumeration},
      {"const", &R::const_value},
      {"allOf", &R::all_of},
      {"anyOf", &R::any_of},
      {"oneOf", &R::one_of},
      {"not", &R::not_schema},
      {"if", &R::if_schema},
      {"$ref", &R::ref},
      {"$dynamicRef", &R::dynamic_ref},
      {"$recursiveRef", &R::recursive_ref},
      {"properties", &R::properties},
      {"patternProperties", &R::pattern_properties},
      {"additionalProperties", &R::additional_properties},
      {"unevaluatedProperties", &R::unevaluated_properties},
      {"propertyNames", &R::property_names},
      {"required", &R::required},
      {"minProperties", &R::min_properties},
      {"maxProperties", &R::max_properties},
      {"dependencies", &R::dependent},
      {"dependentRequired", &R::dependent},
      {"dependentSchemas", &R::dependent},
      {"items", &R::items},
      {"prefixItems", &R::prefix_items},
      {"additionalItems", &R::additional_items},
      {"unevaluatedItems", &R::unevaluated_items},
      {"contains", &R::contains},
      {"uniqueItems", &R::unique_items},
      {"minItems", &R::min_items},
      {"maxItems", &R::max_items},
      {"minLength", &R::min_length},
      {"maxLength", &R::max_length},
      {"pattern", &R::string_pattern},
      {"format", &R::format},
      {"minimum", &R::minimum},
      {"maximum", &R::maximum},
      {"exclusiveMinimum", &R::exclusive_minimum},
      {"exclusiveMaximum", &R::exclusive_maximum},
      {"multipleOf", &R::multiple_of},
  };
  return table;
}

FormulaId SchemaReader::read(std::string_view pointer) {
  FormulaId result = kNever;
  const auto start = references_.at(pointer);
  try {
    pointer_ = start.pointer;
    result = read_object(*start.schema);
    for (; n_targets_read_ < targets_.size(); ++n_targets_read_) {  // reading one may add others
      const size_t idx = n_targets_read_;
      pointer_ = targets_[idx].where.pointer;
      const FormulaId formula = read_object(*targets_[idx].where.schema);
      targets_[idx].formula = formula;
    }
  } catch (Refusal& refusal) {
    if (!refusal.pointer) refusal.pointer = pointer_;
    throw;
  }
  return result;
}

std::vector<FormulaId> SchemaReader::targets() const {
  std::vector<FormulaId> result;
  for (const Target& target : targets_) result.push_back(target.formula);
  return result;
}

FormulaId SchemaReader::schema(const JsonValue& value, std::string_view token) {
  const Location location(*this, token);
  return read_object(value);
}

FormulaId SchemaReader::read_object(const JsonValue& schema) {
  if (schema.is_boolean()) return schema.boolean ? kAlways : kNever;
  if (!schema.is_object()) {
    throw Refusal{.reason = fmt::format("a schema is an object or a boolean, not {}", kind_name(schema)),
                  .code = ErrorCode::bad_file,
                  .pointer = pointer_};
  }
  if (const auto found = known_.find(&schema); found != known_.end()) return found->second;
  const JsonValue* reference = schema.find("$ref");
  const bool ref_only = ref_has_no_siblings_ && reference && reference->is_string();
  std::vector<FormulaId> parts;
  for (const auto& [key, value] : schema.members)
    if (!ref_only || key == "$ref") parts.push_back(read_keyword(schema, key, value));
  const FormulaId result = formulas_.all(std::move(parts));
  known_.emplace(&schema, result);
  return result;
}

FormulaId SchemaReader::read_keyword(const JsonValue& schema, const std::string& key, const JsonValue& value) {
  const auto found = keywords().find(key);
  if (found == keywords().end()) return kAlways;  // an annotation, or what `if` and the like look at themselves
  const Location location(*this, key);
  try {
    return (this->*found->second)(schema, value);
  } catch (Refusal& refusal) {
    if (is_lenient_ && refusal.code == ErrorCode::unsupported) return kAlways;
    if (!refusal.pointer) refusal.pointer = pointer_;
    throw;
  }
}

std::vector<FormulaId> SchemaReader::list_of(const JsonValue& value) {
  if (!value.is_array()) refuse_broken("it is {}, not an array of schemas", kind_name(value));
  std::vector<FormulaId> result;
  for (size_t idx = 0; idx < value.items.size(); ++idx) result.push_back(schema(value.items[idx], std::to_string(idx)));
  return result;
}

Decimal SchemaReader::number(const JsonValue& value) {
  if (!value.is_number()) refuse_broken("it is {}, not a number", kind_name(value));
  return parse_decimal(value.text);
}

// Counts too large to be met are as large as can be.
uint32_t SchemaReader::count(const JsonValue& value) {
  const Decimal number = this->number(value);
  if (number.is_negative || !number.is_integer()) refuse_broken("{} is not a count", in_quotes(value.text));
  if (number.scale() > 9) return kUnbounded - 1;
  return static_cast<uint32_t>(std::stoull(number.whole()));
}

NodeId SchemaReader::pattern(const std::string& text) {
  if (const auto found = patterns_.find(text); found != patterns_.end()) return found->second;
  const NodeId node = texts_with_match(strings_, text);
  patterns_.emplace(text, node);
  return node;
}

FormulaId SchemaReader::text_atom(NodeId node) {
  return node == strings_.universe() ? kAlways : formulas_.atom({.kind = FormulaKind::text, .a = node});
}

FormulaId SchemaReader::refer(const SchemaReferences::Target& target) {
  const auto [found, is_new] = target_index_.try_emplace(target.schema, static_cast<uint32_t>(targets_.size()));
  if (is_new) targets_.push_back({.where = target});
  return formulas_.atom({.kind = FormulaKind::reference, .a = found->second});
}

FormulaId SchemaReader::type(const JsonValue&, const JsonValue& value) {
  uint32_t bits = 0;
  bool has_integer = false;
  const auto add = [&](const JsonValue& name) {
    static const std::unordered_map<std::string_view, uint32_t> types = {
        {"null", kNullType},     {"boolean", kFalseType | kTrueType},
        {"number", kNumberType}, {"string", kStringType},
        {"array", kArrayType},   {"object", kObjectType}};
    const auto found = types.find(name.text);
    if (name.is_string() && found != types.end()) {
      bits |= found->second;
    } else if (name.is_string() && name.text == "integer") {
      has_integer = true;
    } else {
      refuse_broken("{} is not a type", name.is_string() ? in_quotes(name.text) : std::string(kind_name(name)));
    }
  };
  if (value.is_array()) {
    for (const JsonValue& each : value.items) add(each);
  } else {
    add(value);
  }
  if (!has_integer || (bits & kNumberType)) return formulas_.types(bits);
  return formulas_.all(
      {formulas_.types(bits | kNumberType), formulas_.number(numbers_.integer(integers_have_no_point_))});
}

FormulaId SchemaReader::constant(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::null: return formulas_.types(kNullType);
    case JsonValue::Kind::boolean: return formulas_.types(value.boolean ? kTrueType : kFalseType);
    case JsonValue::Kind::number:
      return formulas_.all({formulas_.types(kNumberType), formulas_.number(numbers_.equal(parse_decimal(value.text)))});
    case JsonValue::Kind::string:
      return formulas_.all({formulas_.types(kStringType), text_atom(strings_.text(decode_utf8(value.text)))});
    case JsonValue::Kind::array: {
      const auto size = static_cast<uint32_t>(value.items.size());
      std::vector<FormulaId> parts = {formulas_.types(kArrayType),
                                      formulas_.atom({.kind = FormulaKind::max_items, .a = size})};
      if (size > 0) parts.push_back(formulas_.atom({.kind = FormulaKind::min_items, .a = size}));
      for (uint32_t idx = 0; idx < size; ++idx)
        parts.push_back(formulas_.atom(
            {.kind = FormulaKind::item_values, .a = idx, .b = idx + 1, .c = constant(value.items[idx])}));
      return formulas_.all(std::move(parts));
    }
    case JsonValue::Kind::object: break;
  }
  std::vector<FormulaId> parts = {formulas_.types(kObjectType)};
  KeySet others{.is_negated = true};
  for (const auto& [key, child] : value.members) {
    parts.push_back(formulas_.has_key(key));
    parts.push_back(formulas_.key_values({.names = {formulas_.name(key)}}, constant(child)));
    others.names.push_back(formulas_.name(key));
  }
  std::ranges::sort(others.names);
  parts.push_back(formulas_.key_values(others, kNever));
  return formulas_.all(std::move(parts));
}

FormulaId SchemaReader::enumeration(const JsonValue&, const JsonValue& value) {
  if (!value.is_array()) refuse_broken("it is {}, not an array", kind_name(value));
  std::vector<FormulaId> choices;
  std::vector<std::u32string> texts;
  for (const JsonValue& each : value.items) {
    if (each.is_string()) {
      texts.push_back(decode_utf8(each.text));
    } else {
      choices.push_back(constant(each));
    }
  }
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  if (!texts.empty())
    choices.push_back(formulas_.all({formulas_.types(kStringType), text_atom(strings_.texts(texts))}));
  return formulas_.any(std::move(choices));
}

FormulaId SchemaReader::const_value(const JsonValue&, const JsonValue& value) { return constant(value); }

FormulaId SchemaReader::all_of(const JsonValue&, const JsonValue& value) { return formulas_.all(list_of(value)); }
FormulaId SchemaReader::any_of(const JsonValue&, const JsonValue& value) { return formulas_.any(list_of(value)); }
FormulaId SchemaReader::one_of(const JsonValue&, const JsonValue& value) { return formulas_.one(list_of(value)); }
FormulaId SchemaReader::not_schema(const JsonValue&, const JsonValue& value) {
  return formulas_.negation(read_object(value));
}

FormulaId SchemaReader::if_schema(const JsonValue& schema, const JsonValue& value) {
  const JsonValue *then_value = schema.find("then"), *else_value = schema.find("else");
  if (!then_value && !else_value) return kAlways;
  const FormulaId condition = read_object(value);
  const auto branch = [&](const JsonValue* part, std::string_view name) {
    if (!part) return kAlways;
    const size_t size = pointer_.size();
    pointer_.resize(size - std::string_view("/if").size());
    const FormulaId result = this->schema(*part, name);
    pointer_ += "/if";
    return result;
  };
  const FormulaId then_formula = branch(then_value, "then"), else_formula = branch(else_value, "else");
  return formulas_.all(
      {formulas_.any({formulas_.negation(condition), then_formula}), formulas_.any({condition, else_formula})});
}

FormulaId SchemaReader::ref(const JsonValue& schema, const JsonValue& value) {
  if (!value.is_string()) refuse_broken("it is {}, not a string", kind_name(value));
  return refer(references_.find(schema, value.text));
}

FormulaId SchemaReader::dynamic_ref(const JsonValue& schema, const JsonValue& value) {
  if (!value.is_string()) refuse_broken("it is {}, not a string", kind_name(value));
  return refer(references_.find_dynamic(schema, value.text));
}

FormulaId SchemaReader::recursive_ref(const JsonValue& schema, const JsonValue& value) {
  if (!value.is_string()) refuse_broken("it is {}, not a string", kind_name(value));
  return refer(references_.find_recursive(schema, value.text));
}

}  // namespace ogas::grammar
