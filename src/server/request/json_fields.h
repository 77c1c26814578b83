// JSON of requests, read strictly: every field is one we know, and has the type it should; else the error names its
// path.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/api_error.h"

namespace ogas::server {

using Json = nlohmann::ordered_json;

// Errors: no JSON (with line and column), nested deeper than 64, a name that an object has twice.
ApiResult<Json> parse_json(std::string_view text);
// Invalid UTF-8 becomes U+FFFD.
std::string to_text(const Json& json);

// The fields of an object. Each is asked for by name; finish() refuses what nobody has asked for. A field that is null
// counts as missing.
class Fields {
 public:
  // `path` is the object's own, "" for the body. Errors: not an object.
  static ApiResult<Fields> of(const Json& object, std::string path = {});

  const std::string& path() const { return path_; }
  std::string path_of(std::string_view name) const;
  // Null where it is missing.
  const Json* find(std::string_view name);
  // Refuses fields that nobody asked for, but for those that are null: many clients write what they do not mean as
  // null.
  ApiResult<> finish() const;
  // Fields that are allowed and change nothing.
  void ignore(std::initializer_list<std::string_view> names);
  // Fields that say nothing where they are an empty array, and are not supported else.
  void allow_empty(std::initializer_list<std::string_view> names);

  ApiResult<std::optional<bool>> boolean(std::string_view name);
  ApiResult<std::optional<int64_t>> integer(std::string_view name, int64_t min, int64_t max);
  ApiResult<std::optional<double>> number(std::string_view name, double min, double max);
  ApiResult<std::optional<std::string>> text(std::string_view name);
  // Errors: it is missing, too.
  ApiResult<std::string> needed_text(std::string_view name);
  // A text, or an array of at most n_max of them.
  ApiResult<std::vector<std::string>> texts(std::string_view name, size_t n_max);

 private:
  Fields(const Json& object, std::string path) : object_(&object), path_(std::move(path)) {}

  const Json* object_;
  std::string path_;
  std::vector<std::string_view> known_;
};

// "a string", "null", ... for messages.
std::string_view kind_of(const Json& value);

}  // namespace ogas::server
