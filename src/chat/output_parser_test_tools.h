// Answers that are parsed in one piece, byte by byte and in random pieces.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/output_parser.h"
#include "chat/output_parser_test_formats.h"

namespace ogas {

using Json = nlohmann::ordered_json;

inline const Json& tools() {
  static const Json kTools = Json::parse(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {
      "city": {"type": "string"}, "days": {"type": "integer"}, "exact": {"type": "boolean"},
      "wind": {"type": ["number", "null"]}, "where": {"type": "object"}, "tags": {"type": "array"},
      "unit": {"enum": ["C", "F"]}, "either": {"anyOf": [{"type": "string"}, {"type": "number"}]}}}}},
    {"type": "function", "function": {"name": "get_weather_now"}},
    {"type": "function", "function": {"name": "time"}}])");
  return kTools;
}

struct Call {
  std::string name, arguments;
  bool is_whole = true;
  bool operator==(const Call&) const = default;
};

// What came out in total.
struct Answer {
  std::string reasoning = {}, content = {};
  std::vector<Call> calls = {};
  bool operator==(const Answer&) const = default;
};

inline void PrintTo(const Answer& answer, std::ostream* out) {
  *out << "\nreasoning: " << testing::PrintToString(answer.reasoning)
       << "\ncontent: " << testing::PrintToString(answer.content);
  for (const auto& call : answer.calls)
    *out << "\ncall: " << call.name << " " << call.arguments << (call.is_whole ? "" : " (not whole)");
  *out << "\n";
}

inline void add(Answer& answer, const OutputPiece& piece) {
  answer.reasoning += piece.reasoning;
  answer.content += piece.content;
  for (const auto& call : piece.calls) {
    EXPECT_EQ(call.index < answer.calls.size(), call.name.empty()) << "a name in the first piece only";
    if (call.index == answer.calls.size())
      answer.calls.push_back({.name = call.name, .arguments = {}, .is_whole = false});
    ASSERT_LT(call.index, answer.calls.size());
    EXPECT_FALSE(answer.calls[call.index].is_whole) << "a piece after the last one";
    answer.calls[call.index].arguments += call.arguments;
    answer.calls[call.index].is_whole = call.is_last;
  }
}

inline Answer parse(OutputParser parser, std::span<const std::string_view> pieces) {
  Answer answer;
  for (const auto piece : pieces) add(answer, parser.push(piece));
  add(answer, parser.finish());
  EXPECT_EQ(parser.n_calls(), answer.calls.size());
  for (const auto& call : answer.calls)
    EXPECT_EQ(Json::parse(call.arguments, nullptr, /*allow_exceptions=*/false).is_object(), call.is_whole)
        << call.arguments;
  return answer;
}

struct Example {
  OutputFormat format;
  std::string text;
  Answer expected = {};
  bool starts_in_reasoning = false;
  bool has_tools = true;
  CallDelivery delivery = CallDelivery::streamed;

  OutputParser parser() const { return {format, has_tools ? tools() : Json(), starts_in_reasoning, delivery}; }
};

inline Answer parse_in_one(const Example& example) {
  const std::string_view whole = example.text;
  return parse(example.parser(), {&whole, 1});
}

// The example in one piece, byte by byte, and in random pieces.
inline void expect(const Example& example) {
  const std::string_view text = example.text;
  EXPECT_EQ(parse_in_one(example), example.expected) << text;
  std::mt19937 random(7);
  for (size_t max = 1; max < 30; max += max < 4 ? 1 : 5) {
    std::vector<std::string_view> pieces;
    for (size_t at = 0; at < text.size(); at += pieces.back().size())
      pieces.push_back(text.substr(at, 1 + random() % max));
    EXPECT_EQ(parse(example.parser(), pieces), example.expected) << text << "\nin pieces of up to " << max;
  }
}

inline std::string value_as_json(const std::string& parameter, const std::string& value) {
  const auto answer = parse_in_one(
      {function_tags(),
       "<tool_call><function=get_weather><parameter=" + parameter + ">" + value + "</parameter></function></tool_call>",
       {}});
  return answer.calls.empty() ? "no call" : Json::parse(answer.calls[0].arguments)[parameter].dump();
}

}  // namespace ogas
