// Which marks a model puts around its reasoning and its calls of tools: read off its chat template, which shows past
// answers as the model writes them. Formats are named by their marks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogas {

enum class CallSyntax {
  none,
  json,           // call_begin {"name": "f", "arguments": {...}} call_end
  bare_json,      // {"name": "f", "parameters": {...}}, as the whole answer or after call_begin
  function_tags,  // call_begin <function=f> <parameter=key>value</parameter> </function> call_end
  argument_tags,  // call_begin f <arg_key>key</arg_key> <arg_value>value</arg_value> call_end
  call_tokens,    // calls_begin, any number of: call_begin f call_separator {...} call_end, calls_end; or with
                  // "function" call_separator f and a fenced block of JSON in the middle
};

// Marks are "" where the format has none.
struct OutputFormat {
  bool channels =
      false;  // messages, each with a header that names its channel and recipient; nothing else applies then
  std::string think_begin = {}, think_end = {};
  std::string response_begin = {}, response_end = {};  // around the content after a reasoning block; optional
  CallSyntax call_syntax = CallSyntax::none;
  std::string call_begin = {}, call_end = {};
  std::string calls_begin = {}, call_separator = {}, calls_end = {};  // of call_tokens
  bool values_on_lines = false;   // of function_tags: a new line before and after each value
  bool fences_arguments = false;  // of call_tokens: they are a fenced block of JSON

  bool operator==(const OutputFormat&) const = default;
};

// The marks of channels; `functions.` precedes the names of tools.
struct ChannelMarks {
  static constexpr std::string_view kStart = "<|start|>", kChannel = "<|channel|>", kMessage = "<|message|>",
                                    kConstrain = "<|constrain|>", kEnd = "<|end|>", kCall = "<|call|>",
                                    kReturn = "<|return|>", kNamespace = "functions.";
};

// The format whose marks the template contains. Marks that it lacks, or uses for something else, stay empty.
OutputFormat output_format_of(std::string_view chat_template_source);

// All marks of a format. An OutputParser has to see them where they are control tokens, too.
std::vector<std::string> marks_of(const OutputFormat& format);

// Whether the prompt opened a reasoning block as the last thing it did, so that the answer begins within it.
bool ends_in_reasoning(const OutputFormat& format, std::string_view rendered_prompt);

}  // namespace ogas
