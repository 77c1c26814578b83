// The formats that tests go through.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "chat/output_format.h"

namespace ogas {

inline CallTags function_marks() {
  return {.name_begin = "<function=",
          .name_end = ">",
          .argument_begin = "<parameter=",
          .key_end = ">",
          .value_end = "</parameter>",
          .call_end = "</function>"};
}

inline CallTags argument_marks() {
  return {.argument_begin = "<arg_key>",
          .key_end = "</arg_key>",
          .value_begin = "<arg_value>",
          .value_end = "</arg_value>",
          .call_end = "</tool_call>"};
}

inline OutputFormat tags(CallSyntax syntax, CallTags marks = {}) {
  return {.think_begin = "<think>",
          .think_end = "</think>",
          .call_syntax = syntax,
          .call_begin = "<tool_call>",
          .call_end = "</tool_call>",
          .tags = std::move(marks),
          .values_on_lines = syntax == CallSyntax::function_tags};
}

inline OutputFormat json_tags() { return tags(CallSyntax::json); }
inline OutputFormat function_tags() { return tags(CallSyntax::function_tags, function_marks()); }
inline OutputFormat argument_tags() { return tags(CallSyntax::argument_tags, argument_marks()); }
inline OutputFormat channels() { return {.channels = true}; }
inline OutputFormat bare_json() {
  return {.call_syntax = CallSyntax::bare_json, .call_begin = "<|python_tag|>", .arguments_key = "parameters"};
}

inline OutputFormat seed_tags() {
  return {.think_begin = "<seed:think>",
          .think_end = "</seed:think>",
          .call_syntax = CallSyntax::function_tags,
          .call_begin = "<seed:tool_call>",
          .call_end = "</seed:tool_call>",
          .tags = function_marks()};
}

inline OutputFormat call_tokens() {
  return {.think_begin = "<think>",
          .think_end = "</think>",
          .call_syntax = CallSyntax::call_tokens,
          .calls_begin = "<｜tool▁calls▁begin｜>",
          .calls_end = "<｜tool▁calls▁end｜>",
          .call_begin = "<｜tool▁call▁begin｜>",
          .call_end = "<｜tool▁call▁end｜>",
          .call_separator = "<｜tool▁sep｜>"};
}

inline OutputFormat fenced_call_tokens() {
  OutputFormat format = call_tokens();
  format.fences_arguments = true;
  return format;
}

inline OutputFormat kimi_tokens() {
  return {.think_begin = "<think>",
          .think_end = "</think>",
          .call_syntax = CallSyntax::call_tokens,
          .calls_begin = "<|tool_calls_section_begin|>",
          .calls_end = "<|tool_calls_section_end|>",
          .call_begin = "<|tool_call_begin|>",
          .call_end = "<|tool_call_end|>",
          .name_begin = "functions.",
          .id_begin = ":",
          .call_separator = "<|tool_call_argument_begin|>"};
}

inline OutputFormat mistral_tokens(std::string id_begin = "[CALL_ID]") {
  return {.think_begin = "[THINK]",
          .think_end = "[/THINK]",
          .call_syntax = CallSyntax::call_tokens,
          .call_begin = "[TOOL_CALLS]",
          .id_begin = std::move(id_begin),
          .call_separator = "[ARGS]"};
}

inline OutputFormat solar_tokens() {
  return {.think_begin = "<|think|>",
          .think_end = "<|end|>",
          .response_begin = "<|content|>",
          .response_end = "<|end|>",
          .message_begin = "<|begin|>assistant",
          .call_syntax = CallSyntax::call_tokens,
          .calls_begin = "<|tool_calls|>",
          .calls_end = "<|calls|>",
          .call_begin = "<|tool_call:begin|>",
          .call_end = "<|tool_call:end|>",
          .name_begin = "<|tool_call:name|>",
          .call_separator = "<|tool_call:args|>"};
}

inline OutputFormat functionary_tokens() {
  return {.call_syntax = CallSyntax::call_tokens,
          .call_begin = "<function=",
          .call_end = "</function>",
          .call_separator = ">"};
}

inline OutputFormat json_list(std::string begin, std::string end) {
  return {.call_syntax = CallSyntax::json_list, .calls_begin = std::move(begin), .calls_end = std::move(end)};
}

inline OutputFormat cohere_list() {
  OutputFormat format = json_list("<|START_ACTION|>", "<|END_ACTION|>");
  format.think_begin = "<|START_THINKING|>";
  format.think_end = "<|END_THINKING|>";
  format.response_begin = "<|START_RESPONSE|>";
  format.response_end = "<|END_RESPONSE|>";
  format.name_key = "tool_name";
  format.arguments_key = "parameters";
  return format;
}

inline OutputFormat fenced_list() {
  OutputFormat format = json_list("Action:\n```json", "```");
  format.name_key = "tool_name";
  format.arguments_key = "parameters";
  return format;
}

inline OutputFormat json_by_name() {
  return {.think_begin = "<|inner_prefix|>",
          .think_end = "<|inner_suffix|>",
          .calls_end_reasoning = true,
          .call_syntax = CallSyntax::json_by_name,
          .calls_begin = "<|tools_prefix|>",
          .calls_end = "<|tools_suffix|>"};
}

inline CallTags invoke_marks_after(const std::string& prefix) {
  return {.name_begin = "<" + prefix + "invoke name=\"",
          .name_end = "\">",
          .argument_begin = "<" + prefix + "parameter name=\"",
          .key_end = "\">",
          .value_end = "</" + prefix + "parameter>",
          .call_end = "</" + prefix + "invoke>"};
}

inline OutputFormat attribute_tags(std::string begin, std::string end, CallTags marks) {
  return {.think_begin = "<think>",
          .think_end = "</think>",
          .call_syntax = CallSyntax::attribute_tags,
          .calls_begin = std::move(begin),
          .calls_end = std::move(end),
          .tags = std::move(marks)};
}

inline OutputFormat minimax_tags() {
  return attribute_tags("<minimax:tool_call>", "</minimax:tool_call>", invoke_marks_after(""));
}

inline OutputFormat dsml_tags(const std::string& word) {
  CallTags marks = invoke_marks_after("｜DSML｜");
  marks.key_end = "\" string=\"";
  marks.value_begin = "\">";
  marks.types = CallTags::Types::is_string;
  return attribute_tags("<｜DSML｜" + word + ">", "</｜DSML｜" + word + ">", std::move(marks));
}

inline OutputFormat minicpm_tags() {
  return attribute_tags("", "",
                        {.name_begin = "<function name=\"",
                         .name_end = "\">",
                         .argument_begin = "<param name=\"",
                         .key_end = "\">",
                         .value_end = "</param>",
                         .call_end = "</function>",
                         .raw_begin = "<![CDATA[",
                         .raw_end = "]]>"});
}

inline OutputFormat kimi_k3_tags() {
  OutputFormat format = attribute_tags("<|open|>tools<|sep|>", "<|close|>tools<|sep|>",
                                       {.name_begin = "<|open|>call tool=\"",
                                        .name_end = "\" index=\"",
                                        .head_end = "\"<|sep|>",
                                        .argument_begin = "<|open|>argument key=\"",
                                        .key_end = "\" type=\"",
                                        .value_begin = "\"<|sep|>",
                                        .value_end = "<|close|>argument<|sep|>",
                                        .call_end = "<|close|>call<|sep|>",
                                        .types = CallTags::Types::json,
                                        .escapes_keys = true});
  format.think_begin = "<|open|>think<|sep|>";
  format.think_end = "<|close|>think<|sep|>";
  format.response_begin = "<|open|>response<|sep|>";
  format.response_end = "<|close|>response<|sep|>";
  format.message_end = "<|close|>message<|sep|>";
  return format;
}

inline OutputFormat hunyuan_tags() {
  return {.think_begin = "<think:opensource>",
          .think_end = "</think:opensource>",
          .call_syntax = CallSyntax::argument_tags,
          .calls_begin = "<tool_calls:opensource>",
          .calls_end = "</tool_calls:opensource>",
          .call_begin = "<tool_call:opensource>",
          .call_end = "</tool_call:opensource>",
          .tags = {.name_end = "<tool_sep:opensource>",
                   .argument_begin = "<arg_key:opensource>",
                   .key_end = "</arg_key:opensource>",
                   .value_begin = "<arg_value:opensource>",
                   .value_end = "</arg_value:opensource>",
                   .call_end = "</tool_call:opensource>"}};
}

inline OutputFormat nested_tags() {
  return {.think_begin = "<mm:think>",
          .think_end = "</mm:think>",
          .call_syntax = CallSyntax::nested_tags,
          .calls_begin = "]<]minimax[>[<tool_call>",
          .calls_end = "]<]minimax[>[</tool_call>",
          .tags = {.name_begin = "]<]minimax[>[<invoke name=\"",
                   .name_end = "\">",
                   .argument_begin = "]<]minimax[>[<",
                   .key_end = ">",
                   .value_end = "]<]minimax[>[</",
                   .call_end = "]<]minimax[>[</invoke>"}};
}

inline OutputFormat python_calls() {
  return {.think_begin = "<think>",
          .think_end = "</think>",
          .call_syntax = CallSyntax::python_calls,
          .calls_begin = "<|tool_call_start|>",
          .calls_end = "<|tool_call_end|>"};
}

inline OutputFormat bare_python_calls() {
  return {.call_syntax = CallSyntax::python_calls, .call_begin = "<|python_start|>", .call_end = "<|python_end|>"};
}

inline OutputFormat brace_calls() {
  return {.think_begin = "<|channel>thought",
          .think_end = "<channel|>",
          .call_syntax = CallSyntax::brace_calls,
          .call_begin = "<|tool_call>",
          .call_end = "<tool_call|>",
          .string_mark = "<|\"|>"};
}

inline OutputFormat gigachat() {
  return {.message_end = "<|message_sep|>", .call_syntax = CallSyntax::json, .call_begin = "function call<|role_sep|>"};
}

inline OutputFormat json_in_one_block() {
  return {.call_syntax = CallSyntax::json, .calls_begin = "<tool_calls>", .calls_end = "</tool_calls>"};
}

inline OutputFormat final_response() {
  OutputFormat format = json_list("<tool_calls>", "</tool_calls>");
  format.think_begin = "Here are my reasoning steps:";
  format.think_end = "[BEGIN FINAL RESPONSE]";
  format.response_end = "[END FINAL RESPONSE]";
  return format;
}

inline std::vector<OutputFormat> all_formats() {
  return {json_tags(),
          function_tags(),
          argument_tags(),
          seed_tags(),
          call_tokens(),
          bare_json(),
          channels(),
          kimi_tokens(),
          mistral_tokens(),
          solar_tokens(),
          functionary_tokens(),
          json_list("[TOOL_CALLS]", ""),
          cohere_list(),
          fenced_list(),
          json_by_name(),
          minimax_tags(),
          dsml_tags("function_calls"),
          minicpm_tags(),
          kimi_k3_tags(),
          hunyuan_tags(),
          nested_tags(),
          python_calls(),
          bare_python_calls(),
          brace_calls(),
          gigachat(),
          json_in_one_block(),
          final_response()};
}

// What texts in a format are made of: its marks, pieces of JSON, and tags.
inline std::vector<std::string> words_of(const OutputFormat& format) {
  std::vector<std::string> words = {"{\"name\": \"time\", \"arguments\": ",
                                    "{\"name\": \"time\", \"parameters\": ",
                                    "{\"arguments\": ",
                                    "\"name\": \"time\"",
                                    "{",
                                    "}",
                                    "[",
                                    "]",
                                    ",",
                                    ":",
                                    "\"a\": ",
                                    "\"",
                                    "\\",
                                    "\\u00e9",
                                    "\\ud83d",
                                    "1",
                                    "-",
                                    "e9",
                                    "null",
                                    "true",
                                    "time",
                                    "x",
                                    "\n",
                                    " ",
                                    ";",
                                    "\u00EB",
                                    "\xFF",
                                    "\x01",
                                    "{\"a\": {\"b\": [1, \"c\"]}}",
                                    "<",
                                    "</",
                                    "<tool_call>",
                                    "</tool_call>"};
  const CallTags& marks = format.tags;
  for (const auto& mark :
       {format.think_begin, format.think_end,  format.response_begin, format.response_end, format.message_begin,
        format.message_end, format.call_begin, format.call_end,       format.calls_begin,  format.calls_end,
        format.name_begin,  format.id_begin,   format.call_separator, format.string_mark,  marks.name_begin,
        marks.name_end,     marks.head_end,    marks.argument_begin,  marks.key_end,       marks.value_begin,
        marks.value_end,    marks.call_end,    marks.raw_begin,       marks.raw_end})
    if (!mark.empty()) words.push_back(mark);
  if (!marks.name_begin.empty()) words.push_back(marks.name_begin + "time" + marks.name_end);
  if (!marks.argument_begin.empty()) words.push_back(marks.argument_begin + "a" + marks.key_end + marks.value_begin);
  if (marks.types != CallTags::Types::none) words.insert(words.end(), {"true", "false", "string", "object"});
  if (format.call_syntax == CallSyntax::argument_tags) words.push_back(format.call_begin + "time\n");
  if (format.call_syntax == CallSyntax::call_tokens)
    words.insert(words.end(), {"```", "```json", "function", format.call_begin + "time" + format.call_separator});
  if (format.call_syntax == CallSyntax::json_list)
    words.insert(words.end(), {"[{\"tool_name\": \"time\", \"parameters\": ", "```"});
  if (format.call_syntax == CallSyntax::json_by_name) words.insert(words.end(), {"[{\"time\": ", "{\"time\": "});
  if (format.call_syntax == CallSyntax::nested_tags)
    words.insert(words.end(), {"<item>", "</item>", "<a>", "</a>", "]<]minimax[>["});
  if (format.call_syntax == CallSyntax::python_calls)
    words.insert(words.end(), {"[time(", "time(", "a=", "'", ")", "'x'", "{'a': ", "True", "\\x41"});
  if (format.call_syntax == CallSyntax::brace_calls)
    words.insert(words.end(), {"call:time{", "a:", "<|\"|>x<|\"|>", "[1,", "None"});
  if (format.channels)
    words.insert(words.end(), {"<|start|>", "assistant", "<|channel|>", "analysis", "final", "commentary",
                               " to=functions.time ", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>"});
  return words;
}

}  // namespace ogas
