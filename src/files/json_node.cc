#include "files/json_node.h"

#include "base/quote.h"

namespace ogas {

std::string_view JsonNode::type_name() const {
  using simdjson::dom::element_type;
  switch (element_.type()) {
    case element_type::ARRAY: return "an array";
    case element_type::OBJECT: return "an object";
    case element_type::INT64:
    case element_type::UINT64: return "an integer";
    case element_type::DOUBLE: return "a number";
    case element_type::STRING: return "a string";
    case element_type::BOOL: return "a bool";
    case element_type::NULL_VALUE: return "null";
  }
  return "unknown";
}

std::unexpected<Error> JsonNode::fail_type(std::string_view expected) const {
  return fail(ErrorCode::bad_file, "{} is {}; {} is expected", path_, type_name(), expected);
}

Result<std::string_view> JsonNode::string() const {
  std::string_view value;
  if (element_.get(value) != simdjson::SUCCESS) return fail_type("a string");
  return value;
}

Result<bool> JsonNode::boolean() const {
  bool value = false;
  if (element_.get(value) != simdjson::SUCCESS) return fail_type("a bool");
  return value;
}

Result<int64_t> JsonNode::integer(int64_t min, int64_t max) const {
  int64_t value = 0;
  if (element_.get(value) != simdjson::SUCCESS) return fail_type(fmt::format("an integer from {} to {}", min, max));
  if (value < min || value > max)
    return fail(ErrorCode::bad_file, "{} is {}; {} to {} are expected", path_, value, min, max);
  return value;
}

Result<simdjson::dom::object> JsonNode::object() const {
  simdjson::dom::object value;
  if (element_.get(value) != simdjson::SUCCESS) return fail_type("an object");
  return value;
}

Result<simdjson::dom::array> JsonNode::array() const {
  simdjson::dom::array value;
  if (element_.get(value) != simdjson::SUCCESS) return fail_type("an array");
  return value;
}

Result<std::vector<JsonNode>> JsonNode::elements() const {
  std::vector<JsonNode> nodes;
  for (const simdjson::dom::element element : OGAS_TRY(array()))
    nodes.emplace_back(element, fmt::format("{}[{}]", path_, nodes.size()));
  return nodes;
}

Result<std::optional<JsonNode>> JsonNode::find(std::string_view key) const {
  const auto members = OGAS_TRY(object());
  simdjson::dom::element value;
  if (members.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return JsonNode(value, fmt::format("{}.{}", path_, key));
}

Result<JsonNode> JsonNode::get(std::string_view key) const {
  auto found = OGAS_TRY(find(key));
  if (!found) return fail(ErrorCode::bad_file, "{} has no member {}", path_, in_quotes(key));
  return *std::move(found);
}

Result<bool> JsonNode::boolean_or(std::string_view key, bool fallback) const {
  const auto found = OGAS_TRY(find(key));
  return found ? found->boolean() : fallback;
}

Result<std::string_view> JsonNode::type() const {
  const auto found = OGAS_TRY(find("type"));
  return found ? found->string() : std::string_view();
}

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  JsonDocument document;
  const auto error = document.parser_->parse(text.data(), text.size()).get(document.root_);
  if (error != simdjson::SUCCESS)
    return fail(ErrorCode::bad_file, "this is not JSON: {}", simdjson::error_message(error));
  return document;
}

}  // namespace ogas
