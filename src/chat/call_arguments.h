// The schema of a tool's arguments, as a grammar of calls takes it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogas {

// What a schema says of single arguments, for formats that write each by itself.
struct Arguments {
  std::vector<std::string> names = {};
  std::vector<bool> required = {};  // by name
  bool are_listed = false;          // no others may come
  std::string not_enforced = {};    // a keyword that speaks of several at once
};

// Of a JSON Schema; "": no arguments are known.
Arguments arguments_of(const std::string& schema_text);
// The JSON pointer to the schema of an argument.
std::string pointer_to(std::string_view argument);

// A schema of objects, which are closed: an object that lists its properties gets no others, unless its schema speaks
// of others or is combined with others. "" stands for any object. What is not a schema stays as it is, to be refused.
std::string arguments_schema(const std::string& schema_text);

}  // namespace ogas
