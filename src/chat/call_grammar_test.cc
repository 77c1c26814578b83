#include "chat/call_grammar.h"

#include <gtest/gtest.h>

#include "chat/output_parser.h"
#include "chat/output_parser_test_formats.h"
#include "grammar/grammar_test_tools.h"

namespace ogas {
namespace {

using grammar::GrammarTree;
using Json = nlohmann::ordered_json;

const Json kTools = Json::parse(R"([
  {"type": "function", "function": {"name": "weather", "strict": true, "parameters": {
    "type": "object", "required": ["city"], "additionalProperties": false,
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 14},
                   "unit": {"enum": ["C", "F"]}}}}},
  {"type": "function", "function": {"name": "ring"}}])");

struct Example {
  OutputFormat format;
  std::string calls;  // weather in Oslo for two days, then ring, as the format writes them
  std::string wrong;  // the first call with a wrong type
};

// Marks that are control tokens are written as text here.
std::vector<Example> examples() {
  const std::string city = R"({"city": "Oslo", "days": 2})", wrong = R"({"city": "Oslo", "days": "two"})";
  const auto json = [](const std::string& arguments) {
    return "<tool_call>\n{\"name\": \"weather\", \"arguments\": " + arguments + "}\n</tool_call>";
  };
  const auto bare = [](const std::string& arguments) {
    return "{\"name\": \"weather\", \"parameters\": " + arguments + "}";
  };
  const auto bare_in_list = [](const std::string& arguments) {
    return "{\"name\": \"weather\", \"arguments\": " + arguments + "}";
  };
  const auto kimi = [](const std::string& arguments) {
    return "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>" +
           arguments + "<|tool_call_end|>";
  };
  const auto qwen = [](const std::string& days) {
    return "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n" + days +
           "\n</parameter>\n</function>\n</tool_call>";
  };
  const auto glm = [](const std::string& days) {
    return "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n"
           "<arg_value>" +
           days + "</arg_value>\n</tool_call>";
  };
  const auto tokens = [](const std::string& arguments) {
    return "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>" + arguments + "<｜tool▁call▁end｜>";
  };
  return {
      {json_tags(), json(city) + "\n<tool_call>\n{\"name\": \"ring\", \"arguments\": {}}\n</tool_call>", json(wrong)},
      {bare_json(), bare(city) + "; {\"name\": \"ring\", \"parameters\": {\"loud\": true}}", bare(wrong)},
      {function_tags(), qwen("2") + "\n<tool_call>\n<function=ring>\n</function>\n</tool_call>", qwen("two")},
      {argument_tags(), glm("2") + "\n<tool_call>ring\n</tool_call>", glm("two")},
      {call_tokens(),
       tokens(city) + "\n<｜tool▁call▁begin｜>ring<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       tokens(wrong)},
      {json_list("[TOOL_CALLS]", ""), "[TOOL_CALLS][" + bare_in_list(city) + R"(, {"name": "ring", "arguments": {}}])",
       "[TOOL_CALLS][" + bare_in_list(wrong) + "]"},
      {mistral_tokens(),
       "[TOOL_CALLS]weather[CALL_ID]call00001[ARGS]" + city + "[TOOL_CALLS]ring[CALL_ID]call00002[ARGS]{}",
       "[TOOL_CALLS]weather[CALL_ID]call00001[ARGS]" + wrong},
      {kimi_tokens(),
       kimi(city) + "<|tool_call_begin|>functions.ring:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
                    "<|tool_calls_section_end|>",
       kimi(wrong)},
  };
}

grammar::GrammarResult grammar_of(const OutputFormat& format, const CallRules& rules,
                                  const std::optional<GrammarTree::Schema>& content = {},
                                  AnswerBegin begin = AnswerBegin::message) {
  auto tree = make_call_grammar(format, {}, rules, content, begin);
  if (!tree) return std::unexpected(tree.error());
  return grammar::compile_tree(*tree);
}

CallRules rules_of(bool is_required, uint32_t max_calls = UINT32_MAX) {
  return {.tools = callable_tools(kTools), .is_required = is_required, .max_calls = max_calls};
}

TEST(CallGrammar, TextIsFreeAndCallsAreNot) {
  for (const Example& example : examples()) {
    SCOPED_TRACE(example.calls);
    const auto free = grammar_of(example.format, rules_of(false));
    EXPECT_TRUE(takes(free, ""));
    EXPECT_TRUE(takes(free, "It rains. A < b, <tool and {\"name\": \"Oslo\"}."));
    EXPECT_TRUE(takes(free, example.calls));
    EXPECT_FALSE(takes(free, example.wrong));
    const bool is_bare = example.format.call_syntax == CallSyntax::bare_json;
    EXPECT_EQ(takes(free, "I will look.\n" + example.wrong), is_bare);  // there it is text
    const auto required = grammar_of(example.format, rules_of(true));
    EXPECT_TRUE(takes(required, example.calls));
    EXPECT_FALSE(takes(required, ""));
    EXPECT_FALSE(takes(required, "No."));
    EXPECT_FALSE(takes(required, example.wrong));
  }
}

// What the grammar takes, the parser reads.
TEST(CallGrammar, TheParserReadsWhatItTakes) {
  for (const Example& example : examples()) {
    SCOPED_TRACE(example.calls);
    OutputParser parser(example.format, kTools, false, CallDelivery::whole);
    OutputPiece piece = parser.push(example.calls);
    OutputPiece rest = parser.finish();
    std::ranges::move(rest.calls, std::back_inserter(piece.calls));
    ASSERT_EQ(piece.calls.size(), 2u);
    EXPECT_EQ(piece.calls[0].name, "weather");
    EXPECT_EQ(Json::parse(piece.calls[0].arguments), Json::parse(R"({"city": "Oslo", "days": 2})"));
    EXPECT_EQ(piece.calls[1].name, "ring");
  }
}

TEST(CallGrammar, OfFormats) {
  for (const Example& example : examples()) EXPECT_TRUE(has_call_grammar(example.format)) << example.calls;
  EXPECT_TRUE(has_call_grammar(channels()));
  EXPECT_FALSE(has_call_grammar({}));
  EXPECT_FALSE(has_call_grammar(nested_tags()));
}

TEST(CallGrammar, NoMoreCallsThanMayCome) {
  for (const Example& example : examples()) {
    SCOPED_TRACE(example.calls);
    EXPECT_FALSE(takes(grammar_of(example.format, rules_of(true, 1)), example.calls));
    EXPECT_FALSE(takes(grammar_of(example.format, rules_of(false, 1)), example.calls));
    EXPECT_TRUE(takes(grammar_of(example.format, rules_of(false, 2)), example.calls));
  }
  const Example json = examples().front();
  const std::string one = json.calls.substr(0, json.calls.find("\n<tool_call>\n{\"name\": \"ring"));
  EXPECT_TRUE(takes(grammar_of(json.format, rules_of(true, 1)), one));
  EXPECT_TRUE(takes(grammar_of(json.format, rules_of(false, 1)), "Yes: " + one + "\n"));
}

TEST(CallGrammar, OnlyToolsThatMayBeCalled) {
  CallRules rules = rules_of(true);
  rules.tools.erase(rules.tools.begin());
  const auto ring = grammar_of(json_tags(), rules);
  EXPECT_TRUE(takes(ring, R"(<tool_call>{"name": "ring", "arguments": {}}</tool_call>)"));
  EXPECT_FALSE(takes(ring, R"(<tool_call>{"name": "weather", "arguments": {"city": "x"}}</tool_call>)"));
}

TEST(CallGrammar, ContentByASchema) {
  const GrammarTree::Schema content{.text = R"({"type": "object", "required": ["a"], "additionalProperties": false,
                                              "properties": {"a": {"type": "integer"}}})"};
  for (const Example& example : examples()) {
    SCOPED_TRACE(example.calls);
    const auto grammar = grammar_of(example.format, rules_of(false), content);
    EXPECT_TRUE(takes(grammar, R"({"a": 1})"));
    EXPECT_TRUE(takes(grammar, example.calls));
    EXPECT_FALSE(takes(grammar, "text"));
    EXPECT_FALSE(takes(grammar, R"({"a": "1"})"));
  }
}

TEST(CallGrammar, Channels) {
  const std::string analysis = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant";
  const std::string call = R"(<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Oslo"})";
  const std::string wrong = R"(<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": 1})";
  const std::string answer = "<|channel|>final<|message|>It rains.";
  const OutputFormat format{.channels = true};
  const auto free = grammar_of(format, rules_of(false));
  for (const std::string& text :
       {analysis + call, call, answer, analysis + analysis + answer,
        R"( to=functions.weather<|channel|>commentary json<|message|>{"city": "Oslo"})" + std::string()})
    EXPECT_TRUE(takes(free, text)) << text;
  for (const std::string& text : {wrong, analysis, answer + analysis, std::string("It rains.")})
    EXPECT_FALSE(takes(free, text)) << text;
  const auto required = grammar_of(format, rules_of(true));
  EXPECT_TRUE(takes(required, analysis + call));
  EXPECT_FALSE(takes(required, analysis + answer));
  const auto within = grammar_of(format, rules_of(true), {}, AnswerBegin::reasoning);
  EXPECT_TRUE(takes(within, "Hm.<|end|><|start|>assistant" + call));
  const GrammarTree::Schema content{.text = R"({"type": "integer"})"};
  EXPECT_TRUE(takes(grammar_of(format, rules_of(false), content), analysis + "<|channel|>final<|message|>7"));
  EXPECT_FALSE(takes(grammar_of(format, rules_of(false), content), analysis + answer));
}

TEST(CallGrammar, ArgumentsOfTagsAreStringsOrJson) {
  const auto call = [](const std::string& city, const std::string& unit) {
    return "<tool_call>\n<function=weather>\n<parameter=unit>\n" + unit + "\n</parameter>\n<parameter=city>\n" + city +
           "\n</parameter>\n</function>\n</tool_call>";
  };
  const auto grammar = grammar_of(function_tags(), rules_of(true));
  EXPECT_TRUE(takes(grammar, call("Oslo\n\"and\" <more>", "C")));
  EXPECT_FALSE(takes(grammar, call("Oslo", "K")));
  EXPECT_FALSE(takes(grammar, "<function=weather>\n<parameter=unit>\nC\n</parameter>\n</function>"));  // no city
  EXPECT_FALSE(takes(grammar, "<function=storm>\n</function>"));
}

// Objects get the properties that their schema lists, unless it speaks of others.
TEST(CallGrammar, ArgumentsThatAreNotListed) {
  const auto takes_arguments = [](const char* schema, const char* arguments) {
    const CallRules rules{.tools = {{.name = "f", .schema = schema}}, .is_required = true};
    return takes(grammar_of(json_tags(), rules),
                 std::string("<tool_call>{\"name\": \"f\", \"arguments\": ") + arguments + "}</tool_call>");
  };
  EXPECT_TRUE(takes_arguments(R"({"properties": {"a": {}}})", R"({"a": 1})"));
  EXPECT_FALSE(takes_arguments(R"({"properties": {"a": {}}})", R"({"b": 1})"));
  EXPECT_FALSE(takes_arguments(R"({"properties": {"a": {}}})", "7"));
  EXPECT_TRUE(
      takes_arguments(R"({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}})", R"({"b": 1})"));
  EXPECT_TRUE(takes_arguments(R"({"type": "object"})", R"({"b": 1})"));
  const char* nested = R"({"properties": {"a": {"anyOf": [{"$ref": "#/$defs/p"}, {"type": "null"}]}},
                           "$defs": {"p": {"type": "object", "properties": {"x": {}}}}})";
  EXPECT_TRUE(takes_arguments(nested, R"({"a": {"x": 1}})"));
  EXPECT_FALSE(takes_arguments(nested, R"({"a": {"y": 1}})"));
  const char* combined = R"({"allOf": [{"$ref": "#/$defs/p"}, {"properties": {"y": {}}}],
                             "$defs": {"p": {"properties": {"x": {}}}}})";
  EXPECT_TRUE(takes_arguments(combined, R"({"x": 1, "y": 2})"));
}

TEST(CallGrammar, WhatCannotBeEnforcedOfStrictTools) {
  Json tools = kTools;
  tools[0]["function"]["parameters"]["minProperties"] = 2;
  CallRules rules{.tools = callable_tools(tools)};
  EXPECT_TRUE(grammar::refusal_of(grammar_of(function_tags(), rules)).contains("'minProperties'"));
  EXPECT_EQ(grammar::refusal_of(grammar_of(json_tags(), rules)), "");
  tools[0]["function"]["strict"] = false;
  rules.tools = callable_tools(tools);
  EXPECT_EQ(grammar::refusal_of(grammar_of(function_tags(), rules)), "");
}

}  // namespace
}  // namespace ogas
