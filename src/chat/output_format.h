// Which marks a model puts around its reasoning and its calls of tools: read off its chat template, which shows past
// answers as the model writes them. Formats are named by their marks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogas {

// How calls are written. Marks and keys in the comments are members of OutputFormat; a mark that is "" is left out.
// "..." stands for what else an object holds. Space between the parts is shown as the templates write it; readers
// take any white space there. A family's templates differ in nothing else.
enum class CallSyntax {
  none,

  // One object for each call. `{"name": "f", "arguments": {...}}`, with the keys name_key and arguments_key.
  //   Hermes, Qwen, Granite 4:  call_begin \n OBJECT \n call_end, calls apart by \n
  //   MiniMax-M1:               calls_begin \n OBJECT \n OBJECT \n calls_end
  //   GigaChat 3, 3.1:          call_begin OBJECT, one call only; a new line after call_begin in 3
  json,
  // `{"name": "f", "parameters": {...}}` as the whole answer, or after call_begin, which Llama 3 writes for tools of
  // its own. Several are apart by "; ".
  bare_json,
  // One list: calls_begin [OBJECT, OBJECT] calls_end, with objects as above. calls_end may be "".
  //   Mistral Nemo, Apriel, Nemotron Nano v2, Granite 3.3, functools:  without white space but ", " between objects
  //   Command R7B, A:  [\n    OBJECT,\n    OBJECT\n], an object has "tool_call_id": "0" before its name, 1 in the next
  //   Command R+:      \n[\n and \n], an object over lines with an indent of 4
  json_list,
  // calls_begin [{"f": {...}}, {"g": {}}] calls_end
  json_by_name,

  // One tag for each argument, its value unescaped: JSON, but a string without quotation marks. Booleans and null are
  // True, False, None in some templates (as in Python), which the readers take anywhere.
  //   call_begin \n <function=f> \n <parameter=key> value </parameter> \n </function> \n call_end
  // With values_on_lines, a new line before and after each value. Seed has none. tags has the marks, each call has its
  // call_begin and call_end, and a new line is between calls.
  function_tags,
  //   call_begin f \n <arg_key>key</arg_key> \n <arg_value>value</arg_value> \n call_end
  // GLM-4.7 and Laguna S 2.1 write no new lines. Hunyuan 3 writes calls_begin \n before, tags.name_end after the name,
  // \n after each call, and calls_end.
  argument_tags,
  //   calls_begin \n NAME \n ARGUMENT \n </invoke> \n calls_end, NAME and so on once more for each call, where
  //     NAME is tags.name_begin f tags.name_end, ARGUMENT is tags.argument_begin key tags.key_end TYPE
  //     tags.value_begin value tags.value_end, and </invoke> is tags.call_end
  // TYPE as in tags.types. If tags.head_end is not "", NAME is tags.name_begin f tags.name_end N tags.head_end, where
  // N is the number of the call, from 1. MiniCPM5 and Kimi K3 write no new lines within a call.
  attribute_tags,
  // Values as trees of elements (MiniMax-M3). tags has the marks.
  //   calls_begin \n tags.name_begin f tags.name_end ELEMENT... tags.call_end \n calls_end
  //     ELEMENT: tags.argument_begin key tags.key_end VALUE tags.value_end key tags.key_end
  //     VALUE: a scalar as in the tags above; for an object ELEMENTs; for an array ELEMENTs with the key "item". What
  //     is null is left out.
  nested_tags,

  // calls_begin, any number of: call_begin name_begin f id_begin ID call_separator {...} call_end, calls_end, all
  // without white space. Where it fences_arguments: call_begin "function" call_separator f \n ```json \n {...} \n ```
  // call_end, and \n between calls.
  //   ID: nine letters or digits (Mistral Small 3.2), or the call's number from 0 (Kimi K2). Solar has no id_begin, but
  //     ten lower-case letters or digits before name_begin.
  call_tokens,

  // calls_begin [f(key=value, key=value), g()] calls_end, with values as in Python: 'x' or "x" with escapes, True,
  // False, None, numbers, lists, dictionaries. Without calls_begin, the list is the whole answer, perhaps between
  // call_begin and call_end.
  python_calls,
  // call_begin call:f{key:value,key:value} call_end, without white space, keys in the order of the alphabet. A value is
  // a number, true, false, None, [value,value], {key:value}, or a string: string_mark text string_mark, unescaped.
  brace_calls,
};

// The marks of calls with tags. Those that a syntax does not have are "".
struct CallTags {
  std::string name_begin = {}, name_end = {}, head_end = {};
  std::string argument_begin = {}, key_end = {}, value_begin = {}, value_end = {};
  std::string call_end = {};
  // A string with <, & or a new line is between these (MiniCPM5).
  std::string raw_begin = {}, raw_end = {};
  // What is between key_end and value_begin.
  enum class Types {
    none,
    is_string,  // true: the value is a string; false: it is JSON (DeepSeek V3.2)
    json,       // string, number, boolean, null, object, array: the type (Kimi K3)
  } types = Types::none;
  bool escapes_keys = false;  // & and " of keys are &amp; and &quot;

  bool operator==(const CallTags&) const = default;
};

// Marks are "" where the format has none.
struct OutputFormat {
  bool channels =
      false;  // messages, each with a header that names its channel and recipient; nothing else applies then
  std::string think_begin = {}, think_end = {};
  // Calls begin within reasoning, too, and end it.
  bool calls_end_reasoning = false;
  std::string response_begin = {}, response_end = {};  // around the content after a reasoning block; optional
  std::string message_begin = {}, message_end = {};    // around parts of an answer; they say nothing
  CallSyntax call_syntax = CallSyntax::none;
  std::string calls_begin = {}, calls_end = {};  // around all calls
  std::string call_begin = {}, call_end = {};    // around each of them
  std::string name_key = "name", arguments_key = "arguments";
  std::string name_begin = {}, id_begin = {}, call_separator = {};  // of call_tokens
  bool fences_arguments = false;                                    // of call_tokens: they are a fenced block of JSON
  CallTags tags = {};
  bool values_on_lines = false;
  std::string string_mark = {};

  bool operator==(const OutputFormat&) const = default;
};

// The marks of channels, and the names of two of them; `functions.` precedes the names of tools.
struct ChannelMarks {
  static constexpr std::string_view kStart = "<|start|>", kChannel = "<|channel|>", kMessage = "<|message|>",
                                    kConstrain = "<|constrain|>", kEnd = "<|end|>", kCall = "<|call|>",
                                    kReturn = "<|return|>", kNamespace = "functions.", kReasoning = "analysis",
                                    kFinal = "final";
};

// The format whose marks the template contains. Marks that it lacks, or uses for something else, stay empty.
OutputFormat output_format_of(std::string_view chat_template_source);

// Whether answers may have reasoning that is marked as such.
inline bool has_reasoning(const OutputFormat& format) { return format.channels || !format.think_end.empty(); }

// All marks of a format. An OutputParser has to see them where they are control tokens, too.
std::vector<std::string> marks_of(const OutputFormat& format);

// Whether the prompt opened a reasoning block as the last thing it did, so that the answer begins within it.
bool ends_in_reasoning(const OutputFormat& format, std::string_view rendered_prompt);

}  // namespace ogas
