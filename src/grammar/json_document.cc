#include "grammar/json_document.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/quote.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

constexpr size_t kMaxDocumentDepth = 200;

// Called by nlohmann's parser for each value.
class JsonBuilder {
 public:
  JsonValue take() { return std::move(root_); }

  bool null() { return add({}); }
  bool boolean(bool value) { return add({.kind = JsonValue::Kind::boolean, .boolean = value}); }
  bool number_integer(int64_t value) { return number(std::to_string(value)); }
  bool number_unsigned(uint64_t value) { return number(std::to_string(value)); }
  bool number_float(double, const std::string& text) { return number(text); }
  bool string(std::string& value) { return add({.kind = JsonValue::Kind::string, .text = std::move(value)}); }
  bool binary(nlohmann::json::binary_t&) { return false; }
  bool start_object(size_t) { return open({.kind = JsonValue::Kind::object}); }
  bool start_array(size_t) { return open({.kind = JsonValue::Kind::array}); }
  bool end_array() { return close(); }
  bool end_object() {
    std::unordered_set<std::string_view> keys;
    for (const auto& [key, value] : open_.back()->members)
      if (!keys.insert(key).second) refuse_broken("the key {} occurs twice in an object", in_quotes(key));
    return close();
  }
  bool key(std::string& key) {
    key_ = std::move(key);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    refuse_broken("it is not JSON: at byte {}: {}", position, error.what());
  }

 private:
  bool number(std::string text) { return add({.kind = JsonValue::Kind::number, .text = std::move(text)}); }
  bool add(JsonValue value) {
    insert(std::move(value));
    return true;
  }
  JsonValue* insert(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    JsonValue& parent = *open_.back();
    if (parent.is_array()) {
      parent.items.push_back(std::move(value));
      return &parent.items.back();
    }
    parent.members.emplace_back(std::move(key_), std::move(value));
    return &parent.members.back().second;
  }
  bool open(JsonValue value) {
    if (open_.size() >= kMaxDocumentDepth) refuse("JSON nested more than {} deep is not supported", kMaxDocumentDepth);
    // A parent's list does not grow while one of its values is open, so the pointer stays good.
    open_.push_back(insert(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  JsonValue root_;
  std::vector<JsonValue*> open_;
  std::string key_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &Member::first);
  return found == members.end() ? nullptr : &found->second;
}

JsonValue parse_json(std::string_view text) {
  JsonBuilder builder;
  nlohmann::json::sax_parse(text, &builder);
  return builder.take();
}

std::string_view kind_name(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::null: return "null";
    case JsonValue::Kind::boolean: return "a boolean";
    case JsonValue::Kind::number: return "a number";
    case JsonValue::Kind::string: return "a string";
    case JsonValue::Kind::array: return "an array";
    case JsonValue::Kind::object: return "an object";
  }
  return "";
}

}  // namespace ogas::grammar
