// A JSON text as values that keep what a grammar needs: numbers as they are written, members in order.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ogas::grammar {

struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object };
  using Member = std::pair<std::string, JsonValue>;
  Kind kind = Kind::null;
  bool boolean = false;
  std::string text = {};  // of a string; a number as it is written
  std::vector<JsonValue> items = {};
  std::vector<Member> members = {};

  bool is_object() const { return kind == Kind::object; }
  bool is_array() const { return kind == Kind::array; }
  bool is_string() const { return kind == Kind::string; }
  bool is_number() const { return kind == Kind::number; }
  bool is_boolean() const { return kind == Kind::boolean; }
  // The member of an object, or null.
  const JsonValue* find(std::string_view key) const;
};

// Throws Refusal: broken JSON, a key that occurs twice in an object, nesting beyond what is read.
JsonValue parse_json(std::string_view text);
// "object", "a string", ... for messages.
std::string_view kind_name(const JsonValue& value);

}  // namespace ogas::grammar
