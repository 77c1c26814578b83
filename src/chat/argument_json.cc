#include "chat/argument_json.h"

#include <algorithm>

#include "chat/json_scanner.h"
#include "chat/literal_reader.h"

namespace ogas {
namespace {

JsonTypes type_of_json(char first) {
  switch (first) {
    case '"': return kString;
    case '{': return kObject;
    case '[': return kArray;
    case 't':
    case 'f': return kBoolean;
    case 'n': return kNull;
    default: return kNumber;
  }
}

// Templates in Python write these so.
std::string_view python_word_as_json(std::string_view text) {
  return text == "True" ? "true" : text == "False" ? "false" : text == "None" ? "null" : text;
}

// A list or dictionary of Python as JSON; "" for anything else.
std::string python_container_as_json(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const size_t end = text.find_last_not_of(" \t\r\n") + 1;
  if (begin == text.size() || (text[begin] != '[' && text[begin] != '{')) return {};
  LiteralReader reader;
  for (size_t i = begin; i < end; ++i) {
    const auto state = reader.push(text[i]);
    if (state == LiteralReader::State::done) return i + 1 == end ? reader.take() : std::string();
    if (state != LiteralReader::State::more) return {};
  }
  return {};
}

std::string json_of(std::string_view text, JsonTypes types) {
  if (types != 0) {
    const size_t end = text.find_last_not_of(" \t\r\n") + 1;
    text = python_word_as_json(text.substr(0, end));
  }
  const std::string json = whole_json(text);
  return json.empty() ? python_container_as_json(text) : json;
}

}  // namespace

std::string argument_json(std::string_view text, JsonTypes types) {
  const std::string json = json_of(text, types);
  if (json.empty()) return quoted_json(text);
  const JsonTypes type = type_of_json(json.front());
  const bool is_string = type == kString;
  const bool taken = types == 0 ? !is_string : (types & kString) == 0 || (!is_string && (types & type) != 0);
  return taken ? json : quoted_json(text);
}

}  // namespace ogas
