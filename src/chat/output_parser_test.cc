#include "chat/output_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "chat/output_parser_test_tools.h"

namespace ogas {
namespace {

TEST(OutputParser, PassesPlainText) {
  for (const auto& format : all_formats()) {
    expect({format, "Hi.\n\nYou  there\n", {"", "Hi.\n\nYou  there\n"}});
    expect({format, "", {}});
    expect({format, "a < b <t <|", {"", "a < b <t <|"}});
  }
  expect({{},
          "\n <think>x</think><tool_call>{\"name\": \"time\"}</tool_call>\n",
          {"", "\n <think>x</think><tool_call>{\"name\": \"time\"}</tool_call>\n"}});
}

TEST(OutputParser, SplitsReasoning) {
  expect({json_tags(), "<think>\nWhy?\n\nSo.\n</think>\n\n Yes.\n", {"Why?\n\nSo.", " Yes.\n"}});
  expect({json_tags(), "\n<think>\n\n</think>\n\nYes.", {"", "Yes."}});
  expect({json_tags(), "\n\nWhy?\n</think>\n\nYes.", {"Why?", "Yes."}, /*starts_in_reasoning=*/true});
  expect({seed_tags(), "<seed:think>a</seed:think>b", {"a", "b"}});
  expect({json_tags(), "<think>a</think>\n<think>b</think>c", {"ab", "c"}});
}

TEST(OutputParser, ReasoningThatIsNotEndedComesOut) {
  expect({json_tags(), "<think>\nWhy?\n</thin", {"Why?\n</thin", ""}});
  expect({json_tags(), "Why?\n", {"Why?\n", ""}, /*starts_in_reasoning=*/true});
}

TEST(OutputParser, MarksOfReasoningWithinContentAreText) {
  expect({json_tags(), "The mark <think> opens, </think> closes.", {"", "The mark <think> opens, </think> closes."}});
  expect({json_tags(), "<think>a</think>b\n<think>c</think>", {"a", "b\n<think>c</think>"}});
}

TEST(OutputParser, MarksOfCallsWithinReasoningAreReasoning) {
  const std::string call = "<tool_call>{\"name\": \"time\", \"arguments\": {}}</tool_call>";
  expect({json_tags(), "<think>I say " + call + "</think>" + call, {"I say " + call, "", {{"time", "{}"}}}});
}

TEST(OutputParser, DropsTheMarksOfResponses) {
  OutputFormat format = json_tags();
  format.response_begin = "<response>";
  format.response_end = "</response>";
  expect({format, "<think>\na\n</think>\n\n\n<response>\nb\nc\n</response>\n", {"a", "b\nc"}});
  expect({format, "b <response> </response>", {"", "b <response> </response>"}});
}

TEST(OutputParser, ReadsJsonCalls) {
  expect(
      {json_tags(),
       "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Zo\u00EB\", \"days\": 2}}\n</tool_call>",
       {"", "", {{"get_weather", "{\"city\": \"Zo\u00EB\", \"days\": 2}"}}}});
  expect({json_tags(),
          "<think>\nHm\n</think>\n\nLet me see: \n<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>\n"
          "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\":\"x\"}}\n</tool_call>\n",
          {"Hm", "Let me see: ", {{"time", "{}"}, {"get_weather", "{\"city\":\"x\"}"}}}});
}

TEST(OutputParser, ReadsJsonCallsThatDeviate) {
  const auto call = [](const std::string& json) { return "<tool_call>" + json + "</tool_call>"; };
  expect({json_tags(), call(R"({"arguments": {"a": 1}, "name": "time"})"), {"", "", {{"time", R"({"a": 1})"}}}});
  expect(
      {json_tags(), call(R"({"name": "time", "parameters": {"a": 1}, "id": 7})"), {"", "", {{"time", R"({"a": 1})"}}}});
  expect({json_tags(), call(R"({"name": "time"})"), {"", "", {{"time", "{}"}}}});
  expect({json_tags(), call(R"({"name": "time", "arguments": null})"), {"", "", {{"time", "{}"}}}});
  expect({json_tags(),
          call(R"({"name": "time", "arguments": "{\"a\": \"\\u00e9\"}"})"),
          {"", "", {{"time", R"({"a": "\u00e9"})"}}}});
  expect({json_tags(),
          call("{\"name\":\"time\"}\n{\"name\":\"time\",\"arguments\":{}}"),
          {"", "", {{"time", "{}"}, {"time", "{}"}}}});
  // A brace is missing or too many, or the mark at the end is missing.
  expect(
      {json_tags(), call(R"({"name": "time", "arguments": {"a": 1})") + "\nx", {"", "x", {{"time", R"({"a": 1})"}}}});
  expect({json_tags(), call(R"({"name": "time", "arguments": {}}})"), {"", "", {{"time", "{}"}}}});
  expect({json_tags(), R"(<tool_call>{"name": "time", "arguments": {"a": 1})", {"", "", {{"time", R"({"a": 1})"}}}});
  expect({json_tags(), "<tool_call>{\"name\": \"time\", \"arguments\": {}\n", {"", "", {{"time", "{}"}}}});
  // New lines within strings, which JSON does not allow.
  expect({json_tags(),
          call("{\"name\": \"time\", \"arguments\": {\"a\": \"x\n\ty\x01\"}}"),
          {"", "", {{"time", R"({"a": "x\n\ty\u0001"})"}}}});
}

TEST(OutputParser, ShowsWhatIsNoCall) {
  for (const char* text : {
           "a\n<tool_call>\n{\"name\": \"other\", \"arguments\": {}}\n</tool_call>\nb",  // unknown
           "<tool_call>get the time</tool_call>",
           "<tool_call>{\"arguments\": {}}</tool_call>",
           "<tool_call>{\"name\": \"time\", \"arguments\": [1]}</tool_call>",
           "<tool_call>{\"name\": \"time\", \"arguments\": \"{\"}</tool_call>",
           "<tool_call>{\"name\": 7, \"arguments\": {}}</tool_call>",
           "<tool_call>{\"name\": \"time\", \"arg",  // cut off
           "</tool_call> <tool_call>",
       }) {
    expect({json_tags(), text, {"", text}});
  }
  const std::string call = "\n<tool_call>{\"name\": \"time\"}</tool_call>\n";
  Example without{json_tags(), "a" + call, {"", "a" + call}};
  without.has_tools = false;
  expect(without);
  expect(
      {json_tags(), "<tool_call> <tool_call>{\"name\": \"time\"}</tool_call>", {"", "<tool_call> ", {{"time", "{}"}}}});
}

TEST(OutputParser, ShowsMarksAtOnceWithoutTools) {
  OutputParser parser(json_tags(), Json::array(), false);
  EXPECT_EQ(parser.push("<tool_call>{").content, "<tool_call>{");
}

TEST(OutputParser, EndMarksBelongToTheirCall) {
  const std::string call = R"(<tool_call>{"name": "time"})";
  expect({json_tags(), call + "a</tool_call>b", {"", "ab", {{"time", "{}"}}}});
  expect({json_tags(), call + "<tool_call>a</tool_call>", {"", "<tool_call>a</tool_call>", {{"time", "{}"}}}});
}

TEST(OutputParser, ArgumentsGrowWhileTheyArrive) {
  OutputParser parser(json_tags(), tools(), false);
  EXPECT_TRUE(parser.push("<tool_call>\n{\"name\": \"get_weather\", \"arguments\": ").calls.empty());
  auto piece = parser.push("{\"city\": \"Par");
  ASSERT_EQ(piece.calls.size(), 1U);
  EXPECT_EQ(piece.calls[0].name, "get_weather");
  EXPECT_EQ(piece.calls[0].arguments, "{\"city\": \"Par");
  piece = parser.push("is\", \"da");
  ASSERT_EQ(piece.calls.size(), 1U);
  EXPECT_EQ(piece.calls[0].name, "");
  EXPECT_EQ(piece.calls[0].arguments, "is\"");
  EXPECT_EQ(parser.n_calls(), 1U);
}

// A call that is cut is never reported as whole: its arguments are not JSON.
TEST(OutputParser, ArgumentsThatEndEarlyAreLeftAsTheyAre) {
  const std::string begin = "<tool_call>{\"name\": \"time\", \"arguments\": ";
  for (const std::string arguments : {R"({"a": "x)", R"({"a": [{"b": "\ud83d)", R"({"a": 12)", R"({"a": 1, "b)", "{"}) {
    expect({json_tags(), begin + arguments, {"", "", {{"time", arguments, false}}}});
    expect(
        {call_tokens(), "<｜tool▁call▁begin｜>time<｜tool▁sep｜>" + arguments, {"", "", {{"time", arguments, false}}}});
    for (const char* end : {"", "<|end|>"})
      expect({channels(),
              "<|channel|>commentary to=functions.time<|message|>" + arguments + end,
              {"", "", {{"time", arguments, false}}}});
  }
  expect(
      {json_tags(), begin + R"({"a": 1, oops}}</tool_call> b)", {"", ", oops}} b", {{"time", R"({"a": 1)", false}}}});
}

TEST(OutputParser, CallsMayBeWantedWhole) {
  const std::string begin = "<tool_call>{\"name\": \"time\", \"arguments\": {\"a\": 1";
  const auto expect_whole = [](const OutputFormat& format, const std::string& text, const Answer& expected) {
    Example example{format, text, expected};
    example.delivery = CallDelivery::whole;
    expect(example);
  };
  expect_whole(json_tags(), begin + "}}</tool_call>", {"", "", {{"time", R"({"a": 1})"}}});
  expect_whole(json_tags(), begin, {"", begin});
  expect_whole(json_tags(), begin + ", oops}}</tool_call> b", {"", begin + ", oops}}</tool_call> b"});
  const std::string message = "<|channel|>commentary to=functions.time<|message|>{\"a\": 1";
  expect_whole(channels(), message + " }<|call|>", {"", "", {{"time", "{\"a\": 1 }"}}});
  expect_whole(channels(), message, {"", message});
  expect_whole(channels(), message + ", oops<|call|>", {"", message + ", oops<|call|>"});
}

// Braces that close nothing belong to the calls before them, unless text follows.
TEST(OutputParser, BracesTooManyAreNotShown) {
  const std::string json = R"({"name": "time", "arguments": {}})", call = "<tool_call>\n" + json;
  const std::vector<Call> one = {{"time", "{}"}}, two = {{"time", "{}"}, {"time", "{}"}};
  expect({json_tags(), call + "}\n</tool_call>", {"", "", one}});
  expect({json_tags(), call + "\n}}\n</tool_call>\nx}", {"", "x}", one}});
  expect({json_tags(), call + "}", {"", "", one}});
  expect({json_tags(), call + "}\n</tool_call>\n" + call + "}\n</tool_call>", {"", "", two}});
  expect({json_tags(), call + "}\n" + json + "}\n</tool_call>", {"", "", two}});
  expect({json_tags(), call + "} x", {"", "} x", one}});
  expect({bare_json(), json + "}", {"", "", one}});
  expect({call_tokens(), "<｜tool▁call▁begin｜>time<｜tool▁sep｜>{}}<｜tool▁call▁end｜>", {"", "", one}});
  for (const char* end : {"<|call|>", ""})
    expect({channels(), std::string("<|channel|>commentary to=functions.time<|message|>{}}\n") + end, {"", "", one}});
  expect({channels(), "<|channel|>commentary to=functions.time<|message|>{}} x", {"", "} x", one}});
}

TEST(OutputParser, ReadsFunctionTags) {
  expect({function_tags(),
          "I look.\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nZo\u00EB "
          "\"x\"\n\nline\n</parameter>\n<parameter=days>\n2\n"
          "</parameter>\n<parameter=exact>\nTrue\n</parameter>\n<parameter=where>\n{\"a\": "
          "[1]}\n</parameter>\n</function>\n</tool_call>\n"
          "<tool_call>\n<function=time>\n</function>\n</tool_call>",
          {"",
           "I look.",
           {{"get_weather",
             "{\"city\": \"Zo\u00EB \\\"x\\\"\\n\\nline\", \"days\": 2, \"exact\": true, \"where\": {\"a\": [1]}}"},
            {"time", "{}"}}}});
  expect(
      {seed_tags(),
       "\n<seed:tool_call>\n<function=get_weather>\n<parameter=city>\n5\n</parameter>\n<parameter=days>5</parameter>\n"
       "</function>\n</seed:tool_call>",
       {"", "", {{"get_weather", R"({"city": "\n5\n", "days": 5})"}}}});
}

TEST(OutputParser, ConvertsValuesByTheirSchema) {
  EXPECT_EQ(value_as_json("city", "12"), "\"12\"");
  EXPECT_EQ(value_as_json("city", "null"), "\"null\"");
  EXPECT_EQ(value_as_json("city", "\"x\""), R"("\"x\"")");
  EXPECT_EQ(value_as_json("days", " 12 "), "12");
  EXPECT_EQ(value_as_json("days", "twelve"), "\"twelve\"");
  EXPECT_EQ(value_as_json("days", "1e999"), "\"1e999\"");
  EXPECT_EQ(value_as_json("exact", "False"), "false");
  EXPECT_EQ(value_as_json("wind", "None"), "null");
  EXPECT_EQ(value_as_json("wind", "-1.5e3"), "-1500.0");
  EXPECT_EQ(value_as_json("where", "{\"a\": 1"), R"("{\"a\": 1")");
  EXPECT_EQ(value_as_json("tags", "[1, \"b\"]"), R"([1,"b"])");
  EXPECT_EQ(value_as_json("unit", "5"), "\"5\"");
  EXPECT_EQ(value_as_json("either", "5"), "5");
  EXPECT_EQ(value_as_json("either", "\"x\""), R"("\"x\"")");
  EXPECT_EQ(value_as_json("either", "{}"), "\"{}\"");
  EXPECT_EQ(value_as_json("unknown", "5"), "5");
  EXPECT_EQ(value_as_json("unknown", "\"5\""), R"("\"5\"")");
  EXPECT_EQ(value_as_json("city", "\xFF"), "\"\uFFFD\"");
}

TEST(OutputParser, FunctionTagsNeedNotBeWrapped) {
  expect({function_tags(), "a\n<function=time></function>\n</tool_call>\n", {"", "a", {{"time", "{}"}}}});
  expect({function_tags(),
          "<tool_call>\n<function=time></function>\n<function=time></function></tool_call>",
          {"", "", {{"time", "{}"}, {"time", "{}"}}}});
}

TEST(OutputParser, ValuesMayHoldTags) {
  expect({function_tags(),
          "<function=time><parameter=a></parameter> <function=b></function></tool_call></parameter></function>",
          {"", "", {{"time", R"({"a": "</parameter> <function=b></function></tool_call>"})"}}}});
  expect({argument_tags(),
          "<tool_call>time<arg_key>a</arg_key><arg_value></tool_call></arg_value> </arg_value></tool_call>",
          {"", "", {{"time", R"({"a": "</tool_call></arg_value> "})"}}}});
}

TEST(OutputParser, ShowsTagsThatAreNoCall) {
  for (const char* text : {
           "<tool_call>\n<function=other>\n</function>\n</tool_call>",
           "<tool_call>\n<function=tim>\n</function>\n</tool_call>",
           "<function=time><parameter=a>5</parameter>",
           "<function=time>5</function>",
           "the <function= mark",
       })
    expect({function_tags(), text, {"", text}});
  for (const char* text : {
           "<tool_call>get_weather_no</tool_call>",
           "<tool_call>time</tool_cal",
           "<tool_call>time<arg_key>a</arg_key>b</tool_call>",
       })
    expect({argument_tags(), text, {"", text}});
}

TEST(OutputParser, ReadsArgumentTags) {
  expect(
      {argument_tags(),
       "\n<think>Hm</think>\nI "
       "look.\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Bonn</arg_value>\n<arg_key>days</arg_key>\n"
       "<arg_value>3</arg_value>\n</tool_call>\n<tool_call>get_weather_now\n</tool_call>",
       {"Hm", "I look.", {{"get_weather", R"({"city": "Bonn", "days": 3})"}, {"get_weather_now", "{}"}}}});
  expect({argument_tags(),
          "<tool_call>time<arg_key>a</arg_key><arg_value>x\ny</arg_value></tool_call>",
          {"", "", {{"time", R"({"a": "x\ny"})"}}}});
}

TEST(OutputParser, ReadsCallTokens) {
  expect({call_tokens(),
          "I "
          "look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>time<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁call▁begin｜>"
          "get_weather<｜tool▁sep｜>"
          "{\"city\": \"x\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
          {"", "I look.", {{"time", "{}"}, {"get_weather", "{\"city\": \"x\"}"}}}});
  expect({call_tokens(),
          "Why?\n</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n```json\n{\"a\": "
          "\"```\"}\n```<｜tool▁call▁end｜>\n"
          "<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{}\n```<｜tool▁call▁end｜><"
          "｜tool▁calls▁end｜>",
          {"Why?", "", {{"time", "{\"a\": \"```\"}"}, {"get_weather", "{}"}}},
          /*starts_in_reasoning=*/true});
  expect({call_tokens(),
          "<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n```json\n{}\n```\n",
          {"", "", {{"time", "{}"}}}});
  for (const char* text : {
           "a\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>other<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
           "<｜tool▁calls▁begin｜> time",
           "<｜tool▁call▁begin｜>time {}",
       })
    expect({call_tokens(), text, {"", text}});
  expect({call_tokens(),
          "<｜tool▁call▁begin｜><｜tool▁call▁begin｜>time<｜tool▁sep｜>{}",
          {"", "<｜tool▁call▁begin｜>", {{"time", "{}"}}}});
}

TEST(OutputParser, ReadsBareJson) {
  expect({bare_json(), "{\"name\": \"time\", \"parameters\": {\"a\": \"b\"}}", {"", "", {{"time", "{\"a\": \"b\"}"}}}});
  expect({bare_json(),
          "<|python_tag|>{\"type\": \"function\", \"name\": \"time\", \"parameters\": {}}",
          {"", "", {{"time", "{}"}}}});
  expect({bare_json(),
          "{\"name\": \"time\", \"parameters\": {}}; {\"name\": \"time\", \"parameters\": {}}",
          {"", "", {{"time", "{}"}, {"time", "{}"}}}});
  for (const char* text : {
           "{\"temperature\": 3}\n",
           "<|python_tag|>time.call(a=\"b\")",
           "{\"name\": \"Bob\", \"age\": 3}",
           "\n {",
           "I say {\"name\": \"time\", \"parameters\": {}}",
       })
    expect({bare_json(), text, {"", text}});
  OutputParser parser(bare_json(), tools(), false);
  EXPECT_EQ(parser.push("{\"temperature\": ").content, "{\"temperature\": ") << "a JSON answer streams";
}

TEST(OutputParser, ReadsChannels) {
  expect({channels(),
          "<|channel|>analysis<|message|>Why?\n<|end|><|start|>assistant<|channel|>final<|message|>Yes.\n<|return|>",
          {"Why?\n", "Yes.\n"}});
  expect({channels(),
          "<|channel|>analysis<|message|>Why?<|end|><|start|>assistant<|channel|>commentary<|message|>I "
          "look.<|end|><|start|>assistant"
          "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{\"city\": \"x\"}<|call|>",
          {"Why?", "I look.", {{"get_weather", "{\"city\": \"x\"}"}}}});
  expect({channels(), " to=functions.time<|channel|>commentary json<|message|>{}", {"", "", {{"time", "{}"}}}});
  expect({channels(),
          "Why?<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
          {"Why?", "Yes."},
          /*starts_in_reasoning=*/true});
  expect({channels(), "<|channel|>analysis<|message|>a<|channel|>final<|message|>b", {"a", "b"}});
}

TEST(OutputParser, ShowsMessagesThatAreNoCall) {
  for (const char* text : {
           "<|channel|>commentary to=functions.other <|constrain|>json<|message|>{}<|call|>",
           "<|channel|>commentary to=functions.time<|message|>what<|call|>",
           "<|channel|>analysis to=python<|message|>1 + 1<|call|>",
           "Yes, no <|message|>.",
           "<|channel|>fin",
           "<|start|>assistant",
       })
    expect({channels(), text, {"", text}});
  expect({channels(),
          "<|channel|>commentary to=functions.time<|message|>{\"a\": x}<|call|>",
          {"", "\"a\": x}", {{"time", "{", false}}}});
}

// Whatever comes, what comes out does not depend on how it was cut, and arguments of whole calls are JSON.
TEST(OutputParser, RandomMarksInRandomPieces) {
  std::mt19937 random(11);
  for (const auto& format : all_formats()) {
    const std::vector<std::string> words = words_of(format);
    for (int n = 0; n < 150; ++n) {
      std::string text;
      for (size_t length = random() % 24; length > 0; --length) text += words[random() % words.size()];
      Example example{format, text, {}, random() % 4 == 0};
      if (n % 3 == 0) example.delivery = CallDelivery::whole;
      example.expected = parse_in_one(example);
      expect(example);
    }
  }
}

// Each mark and piece of JSON again and again, byte by byte: nothing is lost or said twice.
TEST(OutputParser, EndlessMarks) {
  for (const auto& format : all_formats()) {
    for (const std::string& word : words_of(format)) {
      std::string text;
      while (text.size() < 20'000) text += word;
      OutputParser parser(format, tools(), false);
      Answer answer;
      for (const char c : text) add(answer, parser.push({&c, 1}));
      add(answer, parser.finish());
      EXPECT_LE(answer.content.size() + answer.reasoning.size(), text.size());
      const std::vector<std::string> marks = marks_of(format);
      const bool has_mark =
          word.find_first_of("<{\n ") != std::string::npos || std::ranges::find(marks, word) != marks.end();
      EXPECT_TRUE(has_mark || answer.content == text) << word;
    }
  }
}

}  // namespace
}  // namespace ogas
