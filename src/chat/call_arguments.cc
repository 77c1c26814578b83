#include "chat/call_arguments.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ogas {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kAnyArguments = R"({"type": "object"})";

bool is_annotation(std::string_view keyword) {
  constexpr std::string_view kAnnotations[] = {"$schema", "$id",     "$comment", "$defs",       "definitions", "title",
                                               "default", "example", "examples", "description", "deprecated"};
  return keyword.starts_with("x-") || std::ranges::find(kAnnotations, keyword) != std::end(kAnnotations);
}

}  // namespace

Arguments arguments_of(const std::string& schema_text) {
  Arguments result;
  const Json schema = Json::parse(schema_text, nullptr, /*allow_exceptions=*/false);
  if (!schema.is_object()) return result;
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword == "properties" && value.is_object()) {
      result.are_listed = true;
      for (const auto& [name, unused] : value.items()) result.names.push_back(name);
    } else if (keyword != "type" && keyword != "required" && keyword != "additionalProperties" &&
               !is_annotation(keyword)) {
      result.not_enforced = keyword;
    }
  }
  if (schema.value("additionalProperties", Json()) == false) result.are_listed = true;
  result.required.resize(result.names.size());
  const Json required = schema.value("required", Json::array());
  if (!required.is_array()) return result;
  for (const Json& name : required) {
    const auto found = std::ranges::find(result.names, name.is_string() ? name.get<std::string>() : "");
    if (found != result.names.end())
      result.required[static_cast<size_t>(found - result.names.begin())] = true;
    else
      result.not_enforced = "required";
  }
  return result;
}

std::string pointer_to(std::string_view argument) {
  std::string pointer = "/properties/";
  for (const char c : argument) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return pointer;
}

namespace {

bool has_any(const Json& schema, std::initializer_list<const char*> keywords) {
  return std::ranges::any_of(keywords, [&](const char* keyword) { return schema.contains(keyword); });
}

// An object that lists its properties gets no others, unless its schema speaks of others: what models make up is of no
// use to a tool, and small models would never come to an end. has_bases: whether schemas are put together by allOf, so
// that one of them does not list all.
void close_objects(Json& schema, bool has_bases, int depth = 0) {
  constexpr int kMaxDepth = 64;
  if (!schema.is_object() || depth == kMaxDepth) return;
  const bool is_combined =
      has_any(schema, {"allOf", "anyOf", "oneOf", "if", "$ref", "dependentSchemas", "dependencies"});
  if (schema.contains("properties") && !is_combined &&
      !has_any(schema, {"additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames",
                        "minProperties"}))
    schema["additionalProperties"] = false;
  for (const char* keyword : {"properties", "$defs", "definitions"})
    if (schema.contains(keyword) && schema[keyword].is_object() && !(has_bases && keyword[0] != 'p'))
      for (Json& each : schema[keyword]) close_objects(each, has_bases, depth + 1);
  for (const char* keyword : {"anyOf", "oneOf", "prefixItems"})
    if (schema.contains(keyword) && schema[keyword].is_array() && !schema.contains("properties"))
      for (Json& each : schema[keyword]) close_objects(each, has_bases, depth + 1);
  for (const char* keyword : {"items", "additionalProperties"})
    if (schema.contains(keyword)) close_objects(schema[keyword], has_bases, depth + 1);
}

}  // namespace

std::string arguments_schema(const std::string& schema_text) {
  if (schema_text.empty()) return std::string(kAnyArguments);
  Json schema = Json::parse(schema_text, nullptr, /*allow_exceptions=*/false);
  if (schema == true) return std::string(kAnyArguments);
  if (!schema.is_object()) return schema_text;
  schema["type"] = "object";
  close_objects(schema, /*has_bases=*/schema_text.contains("\"allOf\""));
  return schema.dump();
}

}  // namespace ogas
