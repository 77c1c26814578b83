// The tools of a request: their names, and what types their parameters may have.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ogas {

// A set of JSON types; none where a schema does not say.
using JsonTypes = unsigned;
enum JsonType : JsonTypes { kString = 1, kNumber = 2, kBoolean = 4, kNull = 8, kObject = 16, kArray = 32 };

class ToolTable {
 public:
  // `tools` as in OpenAI's API; null, or of another shape: no tools.
  explicit ToolTable(const nlohmann::ordered_json& tools);

  bool empty() const { return tools_.empty(); }
  bool contains(std::string_view name) const { return tools_.contains(name); }
  // Whether a tool's name begins so.
  bool has_prefix(std::string_view beginning) const;
  JsonTypes types_of(std::string_view tool, const std::string& parameter) const;

 private:
  using Parameters = std::unordered_map<std::string, JsonTypes>;
  std::map<std::string, Parameters, std::less<>> tools_;
};

}  // namespace ogas
