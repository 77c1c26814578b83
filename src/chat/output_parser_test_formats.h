// The formats that tests go through.
#pragma once

#include <string>
#include <vector>

#include "chat/output_format.h"

namespace ogas {

inline OutputFormat tags(CallSyntax syntax) {
  return {.think_begin = "<think>",
          .think_end = "</think>",
          .call_syntax = syntax,
          .call_begin = "<tool_call>",
          .call_end = "</tool_call>",
          .values_on_lines = syntax == CallSyntax::function_tags};
}

inline OutputFormat json_tags() { return tags(CallSyntax::json); }
inline OutputFormat function_tags() { return tags(CallSyntax::function_tags); }
inline OutputFormat argument_tags() { return tags(CallSyntax::argument_tags); }
inline OutputFormat channels() { return {.channels = true}; }
inline OutputFormat bare_json() { return {.call_syntax = CallSyntax::bare_json, .call_begin = "<|python_tag|>"}; }

inline OutputFormat seed_tags() {
  return {.think_begin = "<seed:think>",
          .think_end = "</seed:think>",
          .call_syntax = CallSyntax::function_tags,
          .call_begin = "<seed:tool_call>",
          .call_end = "</seed:tool_call>"};
}

inline OutputFormat call_tokens() {
  return {.think_begin = "<think>",
          .think_end = "</think>",
          .call_syntax = CallSyntax::call_tokens,
          .call_begin = "<｜tool▁call▁begin｜>",
          .call_end = "<｜tool▁call▁end｜>",
          .calls_begin = "<｜tool▁calls▁begin｜>",
          .call_separator = "<｜tool▁sep｜>",
          .calls_end = "<｜tool▁calls▁end｜>"};
}

inline std::vector<OutputFormat> all_formats() {
  return {json_tags(), function_tags(), argument_tags(), seed_tags(), call_tokens(), bare_json(), channels()};
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
  for (const auto& mark : {format.think_begin, format.think_end, format.call_begin, format.call_end, format.calls_begin,
                           format.call_separator, format.calls_end})
    if (!mark.empty()) words.push_back(mark);
  if (format.call_syntax == CallSyntax::function_tags)
    words.insert(words.end(), {"<function=", "<function=time>", "<parameter=a>", "</parameter>", "</function>"});
  if (format.call_syntax == CallSyntax::argument_tags)
    words.insert(words.end(), {"<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "<tool_call>time\n"});
  if (format.call_syntax == CallSyntax::call_tokens) words.insert(words.end(), {"```", "```json", "function"});
  if (format.channels)
    words.insert(words.end(), {"<|start|>", "assistant", "<|channel|>", "analysis", "final", "commentary",
                               " to=functions.time ", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>"});
  return words;
}

}  // namespace ogas
