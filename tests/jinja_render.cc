// Renders templates for tools/fuzz_jinja.py: a JSON object {"template", "context"} a line on standard input, and for
// each one line {"text", "input": [[begin, end], ...], "steps", "bytes"} or {"error"} on standard output. Not
// installed.
#include <cstdio>
#include <iostream>
#include <string>

#include "text/jinja_interpreter.h"
#include "text/jinja_parser.h"

namespace {

using Json = nlohmann::ordered_json;
using ogas::jinja::Failure;
using ogas::jinja::Interpreter;
using ogas::jinja::Value;

Json answer(const Json& request) {
  if (!request.is_object() || !request.contains("template") || !request["template"].is_string())
    return {{"error", "no request"}};
  try {
    const auto program = ogas::jinja::parse_template(request["template"].get_ref<const std::string&>());
    Interpreter interpreter;
    interpreter.fixed_date = request.value("date", "26 Jul 2026");
    if (request.contains("context"))
      for (const auto& [name, value] : request["context"].items())
        interpreter.globals().variables[name] = Value::from_json(value, /*is_input=*/true);
    const auto text = interpreter.render(program);
    Json input = Json::array();
    for (const auto& range : text.input()) input.push_back({range.begin, range.end});
    return {
        {"text", text.bytes()}, {"input", input}, {"steps", interpreter.n_steps()}, {"bytes", interpreter.n_bytes()}};
  } catch (const Failure& failure) {
    return {{"error", failure.message}};
  }
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    std::cout << answer(request).dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    if (std::cin.rdbuf()->in_avail() == 0) std::cout.flush();
  }
  return 0;
}
