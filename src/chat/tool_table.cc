#include "chat/tool_table.h"

#include <utility>

namespace ogas {
namespace {

using Json = nlohmann::ordered_json;

const Json& member(const Json& json, const char* name) {
  static const Json kNothing;
  if (!json.is_object()) return kNothing;
  const auto found = json.find(name);
  return found == json.end() ? kNothing : *found;
}

JsonTypes type_called(const Json& name) {
  static const std::unordered_map<std::string, JsonTypes> kTypes = {
      {"string", kString}, {"integer", kNumber}, {"number", kNumber}, {"boolean", kBoolean},
      {"null", kNull},     {"object", kObject},  {"array", kArray},
  };
  if (!name.is_string()) return 0;
  const auto found = kTypes.find(name.get_ref<const std::string&>());
  return found == kTypes.end() ? 0 : found->second;
}

JsonTypes type_of(const Json& value) {
  if (value.is_string()) return kString;
  if (value.is_number()) return kNumber;
  if (value.is_boolean()) return kBoolean;
  if (value.is_null()) return kNull;
  return value.is_object() ? kObject : kArray;
}

// By "type", else by the values an "enum" allows, else by the alternatives; an alternative that says nothing allows
// all.
JsonTypes types_of_schema(const Json& schema, int depth = 0) {
  constexpr int kMaxSchemaDepth = 4;
  JsonTypes types = 0;
  const Json& type = member(schema, "type");
  if (!type.is_array()) types = type_called(type);
  if (type.is_array())
    for (const auto& name : type) types |= type_called(name);
  if (types != 0) return types;
  if (const Json& values = member(schema, "enum"); values.is_array())
    for (const auto& value : values) types |= type_of(value);
  if (types != 0 || depth == kMaxSchemaDepth) return types;
  for (const char* name : {"anyOf", "oneOf"}) {
    const Json& alternatives = member(schema, name);
    if (!alternatives.is_array()) continue;
    for (const auto& alternative : alternatives) {
      const JsonTypes some = types_of_schema(alternative, depth + 1);
      if (some == 0) return 0;
      types |= some;
    }
  }
  return types;
}

}  // namespace

ToolTable::ToolTable(const Json& tools) {
  if (!tools.is_array()) return;
  for (const auto& tool : tools) {
    const Json& function = member(tool, "function");
    const Json& name = member(function, "name");
    if (!name.is_string() || name.get_ref<const std::string&>().empty()) continue;
    Parameters parameters;
    const Json& properties = member(member(function, "parameters"), "properties");
    if (properties.is_object())
      for (const auto& [key, schema] : properties.items()) parameters[key] = types_of_schema(schema);
    tools_[name.get<std::string>()] = std::move(parameters);
  }
}

bool ToolTable::has_prefix(std::string_view beginning) const {
  const auto at = tools_.lower_bound(beginning);
  return at != tools_.end() && at->first.starts_with(beginning);
}

JsonTypes ToolTable::types_of(std::string_view tool, const std::string& parameter) const {
  const auto found = tools_.find(tool);
  if (found == tools_.end()) return 0;
  const auto types = found->second.find(parameter);
  return types == found->second.end() ? 0 : types->second;
}

}  // namespace ogas
