// A node of an untrusted JSON document: values are read by type, and errors name the path.
//
// A thin layer over simdjson's DOM, for files of many megabytes; small JSON uses nlohmann-json. Views into the
// JsonDocument, which must outlive its nodes.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace ogas {

class JsonNode {
 public:
  JsonNode(simdjson::dom::element element, std::string path) : element_(element), path_(std::move(path)) {}

  // "$.model.vocab"
  const std::string& path() const { return path_; }
  // "a string", "an object", ...
  std::string_view type_name() const;

  // Errors: bad_file, if the value is of another type.
  Result<std::string_view> string() const;
  Result<bool> boolean() const;
  Result<int64_t> integer(int64_t min, int64_t max) const;
  Result<simdjson::dom::object> object() const;
  Result<simdjson::dom::array> array() const;
  Result<std::vector<JsonNode>> elements() const;

  // A member of this object; null counts as absent. Errors: bad_file, if this is not an object, or (get) lacks the
  // member.
  Result<std::optional<JsonNode>> find(std::string_view key) const;
  Result<JsonNode> get(std::string_view key) const;
  Result<bool> boolean_or(std::string_view key, bool fallback) const;
  // The member "type", and "" where there is none.
  Result<std::string_view> type() const;

  std::unexpected<Error> fail_type(std::string_view expected) const;

 private:
  simdjson::dom::element element_;
  std::string path_;
};

class JsonDocument {
 public:
  // Errors: bad_file, with what is wrong.
  static Result<JsonDocument> parse(std::string_view text);
  JsonNode root() const { return {root_, "$"}; }

 private:
  std::unique_ptr<simdjson::dom::parser> parser_ = std::make_unique<simdjson::dom::parser>();  // nodes point into it
  simdjson::dom::element root_;
};

}  // namespace ogas
