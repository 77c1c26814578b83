// Calls as the families write them.
#include <gtest/gtest.h>

#include "chat/output_parser_test_tools.h"

namespace ogas {
namespace {

TEST(OutputParser, ReadsListsOfJson) {
  const std::string calls = R"([{"name": "time", "arguments": {"a": "]"}}, {"name": "time", "arguments": {}}])";
  const std::vector<Call> two = {{"time", R"({"a": "]"})"}, {"time", "{}"}};
  const OutputFormat mistral = json_list("[TOOL_CALLS]", ""), nemotron = json_list("<TOOLCALL>", "</TOOLCALL>");
  expect({mistral, "I look.\n[TOOL_CALLS]" + calls, {"", "I look.", two}});
  expect({nemotron, "<TOOLCALL>" + calls + "</TOOLCALL>\n\nx", {"", "x", two}});
  expect({mistral, "[TOOL_CALLS]" + calls + " x]", {"", " x]", two}});
  expect(
      {mistral, R"([TOOL_CALLS][{"name": "time", "arguments": {}, "id": "call00001"}])", {"", "", {{"time", "{}"}}}});
  // A bracket is missing, or the end.
  expect({mistral, R"([TOOL_CALLS]{"name": "time"})", {"", "", {{"time", "{}"}}}});
  expect({mistral, R"([TOOL_CALLS][{"name": "time"}, )", {"", "", {{"time", "{}"}}}});
  expect(
      {mistral, R"([TOOL_CALLS][{"name": "time", "arguments": {"a": "x)", {"", "", {{"time", R"({"a": "x)", false}}}});
  // The second calls another tool.
  expect({mistral,
          R"([TOOL_CALLS][{"name": "time"}, {"name": "other"}])",
          {"", R"(, {"name": "other"}])", {{"time", "{}"}}}});
  for (const char* text : {
           "[TOOL_CALLS][]",
           "[TOOL_CALLS] and [ARGS]",
           "[TOOL_CALLS][[{\"name\": \"time\"}]]",
           "[TOOL_CALLS][{\"name\": \"other\", \"arguments\": {}}]",
       })
    expect({mistral, text, {"", text}});
}

TEST(OutputParser, ReadsListsOfCohere) {
  const std::string call = R"({"tool_call_id": "0", "tool_name": "time", "parameters": {"a": 1}})";
  expect({cohere_list(),
          "<|START_THINKING|>Hm<|END_THINKING|><|START_ACTION|>[\n    " + call + "\n]<|END_ACTION|>",
          {"Hm", "", {{"time", R"({"a": 1})"}}}});
  expect({cohere_list(), "<|START_THINKING|>Hm<|END_THINKING|><|START_RESPONSE|>Yes.<|END_RESPONSE|>", {"Hm", "Yes."}});
  expect({cohere_list(), "No.<|END_RESPONSE|>", {"", "No."}});
  expect({fenced_list(),
          "I look.\nAction:\n```json\n[\n    " + call + ",\n    " + call + "\n]```\n",
          {"", "I look.", {{"time", R"({"a": 1})"}, {"time", R"({"a": 1})"}}}});
  for (const std::string text : {"Action:\n```json\n[\n    {\n        \"tool_name\": \"directly-answer\"}]```",
                                 "Code:\n```json\n{}\n```\n", "Action: none"})
    expect({fenced_list(), text, {"", text}});
}

TEST(OutputParser, ReadsObjectsByName) {
  expect({json_by_name(),
          "I look.<|tools_prefix|>[{\"time\": {\"a\": [1]}}, {\"get_weather\": {}}]<|tools_suffix|>",
          {"", "I look.", {{"time", "{\"a\": [1]}"}, {"get_weather", "{}"}}}});
  // Calls end reasoning.
  expect({json_by_name(),
          "<|inner_prefix|>Hm <|tools_prefix|>[{\"time\": {}}]<|tools_suffix|>",
          {"Hm ", "", {{"time", "{}"}}}});
  expect({json_by_name(), "<|inner_prefix|>Hm<|inner_suffix|>Yes.", {"Hm", "Yes."}});
  for (const char* text : {
           "<|tools_prefix|>[{\"other\": {}}]<|tools_suffix|>",
           "<|tools_prefix|>[{\"name\": \"time\", \"arguments\": {}}]<|tools_suffix|>",
           "<|tools_prefix|>[{\"time\": 1}]<|tools_suffix|>",
       })
    expect({json_by_name(), text, {"", text}});
}

TEST(OutputParser, ReadsNamesWithIds) {
  expect({kimi_tokens(),
          "<|tool_calls_section_begin|><|tool_call_begin|>functions.time:0<|tool_call_argument_begin|>{\"a\": 1}"
          "<|tool_call_end|><|tool_call_begin|>get_weather:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
          "<|tool_calls_section_end|>",
          {"", "", {{"time", "{\"a\": 1}"}, {"get_weather", "{}"}}}});
  expect({mistral_tokens(),
          "I look.[TOOL_CALLS]time[CALL_ID]call00001[ARGS]{\"a\": \"[ARGS]\"}[TOOL_CALLS]time[ARGS]{}",
          {"", "I look.", {{"time", "{\"a\": \"[ARGS]\"}"}, {"time", "{}"}}}});
  expect({mistral_tokens(), "[THINK]Hm[/THINK]Yes.", {"Hm", "Yes."}});
  expect({solar_tokens(),
          "<|think|>Hm<|end|><|begin|>assistant<|tool_calls|><|tool_call:begin|>abcdefghij<|tool_call:name|>time"
          "<|tool_call:args|>{}<|tool_call:end|><|calls|>",
          {"Hm", "", {{"time", "{}"}}}});
  expect({solar_tokens(), "<|think|>Hm<|end|><|begin|>assistant<|content|>Yes.<|end|>", {"Hm", "Yes."}});
  expect({solar_tokens(), "a<|end|><|begin|>assistant<|think|>b", {"", "a<|think|>b"}});  // not in this order
  expect({functionary_tokens(),
          "a<function=time>{}</function><function=time>{\"a\": 1}</function>",
          {"", "a", {{"time", "{}"}, {"time", "{\"a\": 1}"}}}});
  for (const char* text : {"[TOOL_CALLS]other[ARGS]{}", "[TOOL_CALLS]time{}", "[TOOL_CALLS]time[ARGS]"})
    expect({mistral_tokens(), text, {"", text}});
}

TEST(OutputParser, ArgumentsOfListsGrowWhileTheyArrive) {
  for (const auto& [format, begin] :
       {std::pair(json_list("[TOOL_CALLS]", ""), R"([TOOL_CALLS][{"name": "time", "arguments": )"),
        std::pair(json_by_name(), R"(<|tools_prefix|>[{"time": )"),
        std::pair(mistral_tokens(), "[TOOL_CALLS]time[ARGS]")}) {
    OutputParser parser(format, tools(), false);
    EXPECT_TRUE(parser.push(begin).calls.empty());
    const auto piece = parser.push("{\"a\": \"b");
    ASSERT_EQ(piece.calls.size(), 1U) << begin;
    EXPECT_EQ(piece.calls[0].arguments, "{\"a\": \"b");
  }
}

TEST(OutputParser, ReadsAttributeTags) {
  expect({minimax_tags(),
          "<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">5</parameter>\n"
          "<parameter name=\"days\">5</parameter>\n</invoke>\n<invoke name=\"time\">\n</invoke>\n</minimax:tool_call>",
          {"", "", {{"get_weather", R"({"city": "5", "days": 5})"}, {"time", "{}"}}}});
  const auto dsml = [](const std::string& is_string, const std::string& value) {
    return "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"time\">\n<｜DSML｜parameter name=\"a\" string=\"" +
           is_string + "\">" + value + "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>";
  };
  const OutputFormat deepseek = dsml_tags("function_calls");
  expect({deepseek, dsml("true", "5"), {"", "", {{"time", R"({"a": "5"})"}}}});
  expect({deepseek, dsml("false", "[5, null]"), {"", "", {{"time", R"({"a": [5, null]})"}}}});
  expect({deepseek, dsml("false", "five"), {"", "", {{"time", R"({"a": "five"})"}}}});
  expect({deepseek, dsml("?", "5"), {"", dsml("?", "5")}});
  expect({kimi_k3_tags(),
          "<|open|>response<|sep|>I look.<|close|>response<|sep|><|open|>tools<|sep|><|open|>call tool=\"time\" "
          "index=\"1\"<|sep|><|open|>argument key=\"&quot;&amp;quot;\" type=\"number\"<|sep|>5<|close|>argument<|sep|>"
          "<|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>",
          {"", "I look.", {{"time", R"({"\"&quot;": 5})"}}}});
  // Its prompt may begin the response.
  expect({kimi_k3_tags(), "Yes.<|close|>response<|sep|><|close|>message<|sep|>", {"", "Yes."}});
  expect({minicpm_tags(),
          "<function name=\"time\"><param name=\"a\"><![CDATA[</param></function>]]></param><param name=\"b\">x"
          "</param></function>",
          {"", "", {{"time", R"({"a": "</param></function>", "b": "x"})"}}}});
  for (const char* text : {
           "<minimax:tool_call>\n<invoke name=\"other\">\n</invoke>\n</minimax:tool_call>",
           "<minimax:tool_call>\n<invoke name=\"time>\n</invoke>\n</minimax:tool_call>",
           "<minimax:tool_call>\n<invoke name=\"time\">\n<parameter name=\"a\">5</parameter>\n",
           "the <invoke name=\" mark",
       })
    expect({minimax_tags(), text, {"", text}});
}

TEST(OutputParser, ReadsNestedTags) {
  const std::string m = "]<]minimax[>[";
  const auto call = [&](const std::string& arguments) {
    return m + "<tool_call>\n" + m + "<invoke name=\"get_weather\">" + arguments + m + "</invoke>\n" + m +
           "</tool_call>";
  };
  const auto element = [&](const std::string& name, const std::string& value) {
    return m + "<" + name + ">" + value + m + "</" + name + ">";
  };
  const std::string list = element("item", "1") + "\n" + element("item", "a <b>");
  expect({nested_tags(),
          "<mm:think>Hm</mm:think>I look." + call(element("city", "5") + element("days", "5") + element("tags", list)),
          {"Hm", "I look.", {{"get_weather", R"({"city": "5", "days": 5, "tags": [1, "a <b>"]})"}}}});
  expect({nested_tags(),
          call(element("where", element("item", "x") + element("k", list)) + element("tags", "") + element("city", "")),
          {"", "", {{"get_weather", R"({"where": {"item": "x", "k": [1, "a <b>"]}, "tags": [], "city": ""})"}}}});
  expect({nested_tags(), call(""), {"", "", {{"get_weather", "{}"}}}});
  for (const std::string& arguments : std::vector<std::string>{
           "x",                                    // text outside of elements
           m + "<a>1" + m + "</b>",                // closed by another name
           element("a", "x" + element("b", "1")),  // text next to elements
           element("a", element("item", "1") + element("b", "1")),
           m + "<a>1",
       })
    expect({nested_tags(), call(arguments), {"", call(arguments)}});
}

TEST(OutputParser, NestedTagsHaveALimit) {
  std::string text = "]<]minimax[>[<invoke name=\"time\">";
  for (int n = 0; n < 100; ++n) text += "]<]minimax[>[<a>";
  expect({nested_tags(), text, {"", text}});
}

std::string python_arguments(const std::string& arguments) {
  const auto answer =
      parse_in_one({python_calls(), "<|tool_call_start|>[time(" + arguments + ")]<|tool_call_end|>", {}});
  return answer.calls.empty() ? "no call" : answer.calls[0].arguments;
}

TEST(OutputParser, ReadsCallsInPython) {
  expect({python_calls(),
          "I look.<|tool_call_start|>[get_weather(city=\"x\", days=2), time()]<|tool_call_end|>",
          {"", "I look.", {{"get_weather", R"({"city": "x", "days": 2})"}, {"time", "{}"}}}});
  EXPECT_EQ(python_arguments("a=True, b=False, c=None, d=null"), R"({"a": true, "b": false, "c": null, "d": null})");
  EXPECT_EQ(python_arguments("a = -1.5e3 ,b=[1, 'x',[]],\n c={'k': {\"l\": 0}}"),
            R"({"a": -1.5e3, "b": [1, "x", []], "c": {"k": {"l": 0}}})");
  EXPECT_EQ(python_arguments(R"(a='it\'s', b="\"", c='\\n\n\x41\u00e9\U0001F600\ud83d\ude00\d')"),
            R"({"a": "it's", "b": "\"", "c": "\\n\nAé😀😀\\d"})");
  EXPECT_EQ(python_arguments(R"(a='\ud83d', b='\ude00x')"), "{\"a\": \"\uFFFD\", \"b\": \"\uFFFDx\"}");
  // Without escapes.
  EXPECT_EQ(python_arguments("a='it's \"so\", isn't it', b='x'"), R"({"a": "it's \"so\", isn't it", "b": "x"})");
  for (const char* arguments : {"5", "a", "a=", "a=x", "a=1e999", "a=f(1)", "a='x' 'y", "a=(1, 2)", "a={b: 1}", "=1",
                                "a=[1", "a=[1}", "a=1 2", "a='\\xg1'"})
    EXPECT_EQ(python_arguments(arguments), "no call") << arguments;
}

TEST(OutputParser, ReadsBareCallsInPython) {
  expect({bare_python_calls(), "[time(a=1), time()]", {"", "", {{"time", R"({"a": 1})"}, {"time", "{}"}}}});
  expect({bare_python_calls(), "<|python_start|>[time()]<|python_end|>", {"", "", {{"time", "{}"}}}});
  // The list holds something else.
  expect({bare_python_calls(), "[time()k time()]", {"", "k time()]", {{"time", "{}"}}}});
  expect({bare_python_calls(), "[time(), other()]", {"", ", other()]", {{"time", "{}"}}}});
  for (const char* text : {"[time] is a link", "[1, 2]", "I say [time()]", "[", "[other()]", "time()"})
    expect({bare_python_calls(), text, {"", text}});
  OutputParser parser(bare_python_calls(), tools(), false);
  EXPECT_EQ(parser.push("[1, ").content, "[1, ") << "a JSON answer streams";
}

TEST(OutputParser, ReadsCallsInBraces) {
  expect({brace_calls(),
          "<|channel>thought\nHm\n<channel|><|tool_call>call:get_weather{city:<|\"|>a \"b\" {}\n<|\"|>,days:-2,tags:"
          "[<|\"|><|\"|>,None,true],where:{a b:{},<|\"|>c:<|\"|>:1}}<tool_call|><|tool_call>call:time{}<tool_call|>",
          {"Hm",
           "",
           {{"get_weather",
             R"({"city": "a \"b\" {}\n", "days": -2, "tags": ["", null, true], "where": {"a b": {}, "c:": 1}})"},
            {"time", "{}"}}}});
  expect({brace_calls(), "I look.\n<|tool_call>call:time{}", {"", "I look.", {{"time", "{}"}}}});
  for (const char* text : {
           "<|tool_call>call:other{}<tool_call|>",
           "<|tool_call>time{}<tool_call|>",
           "<|tool_call>call:time{a:'x'}<tool_call|>",
           "<|tool_call>call:time{a:<|\"|>x}<tool_call|>",
           "<|tool_call>call:time{a}<tool_call|>",
       })
    expect({brace_calls(), text, {"", text}});
}

TEST(OutputParser, ReadsJsonInOtherMarks) {
  const std::string call = R"({"name": "time", "arguments": {}})";
  expect({json_in_one_block(),
          "<tool_calls>\n" + call + "\n" + call + "\n</tool_calls>",
          {"", "", {{"time", "{}"}, {"time", "{}"}}}});
  expect(
      {gigachat(), "I look.<|message_sep|>\n\nfunction call<|role_sep|>\n" + call, {"", "I look.", {{"time", "{}"}}}});
  expect({final_response(),
          "Hm\n[BEGIN FINAL RESPONSE]\nYes.\n<tool_calls>[" + call + "]</tool_calls>\n[END FINAL RESPONSE]",
          {"Hm", "Yes.", {{"time", "{}"}}},
          /*starts_in_reasoning=*/true});
}

TEST(OutputParser, ReadsArgumentTagsAfterAMark) {
  expect({hunyuan_tags(),
          "<think:opensource>Hm</think:opensource>I look.<tool_calls:opensource>\n<tool_call:opensource>time"
          "<tool_sep:opensource>\n<arg_key:opensource>a</arg_key:opensource>\n<arg_value:opensource>5"
          "</arg_value:opensource>\n</tool_call:opensource>\n</tool_calls:opensource>",
          {"Hm", "I look.", {{"time", "{\"a\": 5}"}}}});
}

// Templates that print lists and dictionaries as Python does.
TEST(OutputParser, ReadsContainersOfPython) {
  EXPECT_EQ(value_as_json("where", "{'a': [1, \"it's\", None]}"), R"({"a":[1,"it's",null]})");
  EXPECT_EQ(value_as_json("tags", "['x', True]"), R"(["x",true])");
  EXPECT_EQ(value_as_json("city", "['x']"), "\"['x']\"");
  EXPECT_EQ(value_as_json("tags", "['x'"), "\"['x'\"");
}

}  // namespace
}  // namespace ogas
