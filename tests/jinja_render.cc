// Renders templates for tools/fuzz_jinja.py and bench/jinja_bench.py; not installed. Standard input has a JSON object
// {"template", "context", "date", "repeat"} a line; for each comes a line {"text", "input": [[begin, end], ...],
// "parse_seconds", "seconds", "n_steps", "n_bytes"} or {"error", "seconds"}. Seconds are of processor time.
#include <ctime>
#include <iostream>
#include <string>

#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace {

using Json = nlohmann::ordered_json;
using ogas::jinja::Failure;
using ogas::jinja::Interpreter;
using ogas::jinja::Value;

double seconds_since(std::clock_t start) { return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC; }

// Renders `repeat` times; seconds are of one rendering on average.
Json rendered(const Json& request) {
  const int repeat = request.value("repeat", 1);
  auto start = std::clock();
  ogas::jinja::Program program;
  for (int idx = 0; idx < repeat; ++idx)
    program = ogas::jinja::parse_template(request["template"].get_ref<const std::string&>());
  const double parse_seconds = seconds_since(start) / repeat;
  Json input = Json::array();
  ogas::jinja::Text text;
  size_t n_steps = 0, n_bytes = 0;
  start = std::clock();
  for (int idx = 0; idx < repeat; ++idx) {
    Interpreter interpreter;
    interpreter.fixed_date = request.value("date", "26 Jul 2026");
    if (request.contains("context"))
      for (const auto& [name, value] : request["context"].items())
        interpreter.globals().variables[name] = Value::from_json(value, /*is_input=*/true);
    text = interpreter.render(program);
    n_steps = interpreter.n_steps();
    n_bytes = interpreter.n_bytes();
  }
  const double seconds = seconds_since(start) / repeat;
  for (const auto& range : text.input()) input.push_back({range.begin, range.end});
  return {{"text", text.bytes()}, {"input", input},     {"parse_seconds", parse_seconds},
          {"seconds", seconds},   {"n_steps", n_steps}, {"n_bytes", n_bytes}};
}

Json answer(const Json& request) {
  if (!request.is_object() || !request.contains("template") || !request["template"].is_string())
    return {{"error", "no request"}};
  const auto start = std::clock();
  try {
    return rendered(request);
  } catch (const Failure& failure) {
    return {{"error", failure.message}, {"seconds", seconds_since(start)}};
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
