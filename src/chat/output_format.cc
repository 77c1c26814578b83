#include "chat/output_format.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace ogas {
namespace {

bool has(std::string_view source, std::string_view mark) { return source.find(mark) != std::string_view::npos; }

// A part of a format, and the texts by which a template shows it. All are needed.
struct KnownFormat {
  std::vector<std::string_view> needs;
  OutputFormat format;
};

// The first that fits counts.
const std::vector<KnownFormat>& known_reasoning() {
  static const std::vector<KnownFormat> kKnown = {
      // The begin may be known to the model only.
      {{"</think>", "<response>", "</response>"},
       {.think_begin = "<think>",
        .think_end = "</think>",
        .response_begin = "<response>",
        .response_end = "</response>"}},
      {{"</think>"}, {.think_begin = "<think>", .think_end = "</think>"}},
      {{"</seed:think>"}, {.think_begin = "<seed:think>", .think_end = "</seed:think>"}},
      {{"[/THINK]"}, {.think_begin = "[THINK]", .think_end = "[/THINK]"}},
      {{"</mm:think>"}, {.think_begin = "<mm:think>", .think_end = "</mm:think>"}},
      {{"</think{}>", "':opensource'"}, {.think_begin = "<think:opensource>", .think_end = "</think:opensource>"}},
      {{"<|END_THINKING|>", "<|START_RESPONSE|>"},
       {.think_begin = "<|START_THINKING|>",
        .think_end = "<|END_THINKING|>",
        .response_begin = "<|START_RESPONSE|>",
        .response_end = "<|END_RESPONSE|>"}},
      {{"<|END_THINKING|>", "<|START_TEXT|>"},
       {.think_begin = "<|START_THINKING|>",
        .think_end = "<|END_THINKING|>",
        .response_begin = "<|START_TEXT|>",
        .response_end = "<|END_TEXT|>"}},
      {{"<|channel>thought", "<channel|>"}, {.think_begin = "<|channel>thought", .think_end = "<channel|>"}},
      {{"<|inner_prefix|>", "<|inner_suffix|>"},
       {.think_begin = "<|inner_prefix|>", .think_end = "<|inner_suffix|>", .calls_end_reasoning = true}},
      {{"<|begin|>assistant", "<|think|>", "<|content|>", "<|end|>"},
       {.think_begin = "<|think|>",
        .think_end = "<|end|>",
        .response_begin = "<|content|>",
        .response_end = "<|end|>",
        .message_begin = "<|begin|>assistant"}},
      {{"'<|open|>'", "open_tag('think')", "open_tag('response')"},
       {.think_begin = "<|open|>think<|sep|>",
        .think_end = "<|close|>think<|sep|>",
        .response_begin = "<|open|>response<|sep|>",
        .response_end = "<|close|>response<|sep|>",
        .message_end = "<|close|>message<|sep|>"}},
      // Known to the model, which begins so.
      {{"[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]"},
       {.think_begin = "Here are my reasoning steps:",
        .think_end = "[BEGIN FINAL RESPONSE]",
        .response_end = "[END FINAL RESPONSE]"}},
      {{"[BEGIN FINAL RESPONSE]"},
       {.think_begin = "Here are my reasoning steps:", .think_end = "[BEGIN FINAL RESPONSE]"}},
  };
  return kKnown;
}

CallTags function_tag_marks() {
  return {.name_begin = "<function=",
          .name_end = ">",
          .argument_begin = "<parameter=",
          .key_end = ">",
          .value_end = "</parameter>",
          .call_end = "</function>"};
}

CallTags argument_tag_marks(const std::string& suffix, std::string call_end) {
  return {.argument_begin = "<arg_key" + suffix + ">",
          .key_end = "</arg_key" + suffix + ">",
          .value_begin = "<arg_value" + suffix + ">",
          .value_end = "</arg_value" + suffix + ">",
          .call_end = std::move(call_end)};
}

// `<invoke name="f"><parameter name="key">value</parameter></invoke>`, each word after its prefix.
CallTags invoke_marks(const std::string& prefix) {
  return {.name_begin = "<" + prefix + "invoke name=\"",
          .name_end = "\">",
          .argument_begin = "<" + prefix + "parameter name=\"",
          .key_end = "\">",
          .value_end = "</" + prefix + "parameter>",
          .call_end = "</" + prefix + "invoke>"};
}

OutputFormat tag_calls(CallSyntax syntax, std::string begin, std::string end) {
  OutputFormat format{.call_syntax = syntax, .call_begin = std::move(begin), .call_end = std::move(end)};
  format.tags = syntax == CallSyntax::function_tags ? function_tag_marks() : argument_tag_marks("", format.call_end);
  format.values_on_lines = syntax == CallSyntax::function_tags && format.call_begin == "<tool_call>";
  return format;
}

OutputFormat calls_with_suffix() {
  OutputFormat format{.call_syntax = CallSyntax::argument_tags,
                      .calls_begin = "<tool_calls:opensource>",
                      .calls_end = "</tool_calls:opensource>",
                      .call_begin = "<tool_call:opensource>",
                      .call_end = "</tool_call:opensource>"};
  format.tags = argument_tag_marks(":opensource", format.call_end);
  format.tags.name_end = "<tool_sep:opensource>";
  return format;
}

OutputFormat invoke_calls(std::string begin, std::string end, CallTags tags) {
  return {.call_syntax = CallSyntax::attribute_tags,
          .calls_begin = std::move(begin),
          .calls_end = std::move(end),
          .tags = std::move(tags)};
}

OutputFormat dsml_calls(const std::string& word) {
  CallTags tags = invoke_marks("｜DSML｜");
  tags.key_end = "\" string=\"";
  tags.value_begin = "\">";
  tags.types = CallTags::Types::is_string;
  return invoke_calls("<｜DSML｜" + word + ">", "</｜DSML｜" + word + ">", std::move(tags));
}

CallTags param_marks() {
  return {.name_begin = "<function name=\"",
          .name_end = "\">",
          .argument_begin = "<param name=\"",
          .key_end = "\">",
          .value_end = "</param>",
          .call_end = "</function>",
          .raw_begin = "<![CDATA[",
          .raw_end = "]]>"};
}

CallTags open_close_marks() {
  return {.name_begin = "<|open|>call tool=\"",
          .name_end = "\" index=\"",
          .head_end = "\"<|sep|>",
          .argument_begin = "<|open|>argument key=\"",
          .key_end = "\" type=\"",
          .value_begin = "\"<|sep|>",
          .value_end = "<|close|>argument<|sep|>",
          .call_end = "<|close|>call<|sep|>",
          .types = CallTags::Types::json,
          .escapes_keys = true};
}

OutputFormat nested_calls() {
  const std::string space = "]<]minimax[>[";
  return {.call_syntax = CallSyntax::nested_tags,
          .calls_begin = space + "<tool_call>",
          .calls_end = space + "</tool_call>",
          .tags = {.name_begin = space + "<invoke name=\"",
                   .name_end = "\">",
                   .argument_begin = space + "<",
                   .key_end = ">",
                   .value_end = space + "</",
                   .call_end = space + "</invoke>"}};
}

OutputFormat list_calls(std::string begin, std::string end) {
  return {.call_syntax = CallSyntax::json_list, .calls_begin = std::move(begin), .calls_end = std::move(end)};
}

OutputFormat cohere_calls(std::string begin, std::string end) {
  OutputFormat format = list_calls(std::move(begin), std::move(end));
  format.name_key = "tool_name";
  format.arguments_key = "parameters";
  return format;
}

OutputFormat calls_before_args(std::string id_begin) {
  return {.call_syntax = CallSyntax::call_tokens,
          .call_begin = "[TOOL_CALLS]",
          .id_begin = std::move(id_begin),
          .call_separator = "[ARGS]"};
}

OutputFormat calls_after_separator(bool fences_arguments) {
  return {.call_syntax = CallSyntax::call_tokens,
          .calls_begin = "<｜tool▁calls▁begin｜>",
          .calls_end = "<｜tool▁calls▁end｜>",
          .call_begin = "<｜tool▁call▁begin｜>",
          .call_end = "<｜tool▁call▁end｜>",
          .call_separator = "<｜tool▁sep｜>",
          .fences_arguments = fences_arguments};
}

OutputFormat calls_in_python(std::string begin, std::string end) {
  return {.call_syntax = CallSyntax::python_calls, .calls_begin = std::move(begin), .calls_end = std::move(end)};
}

OutputFormat calls_in_braces(std::string begin, std::string end, std::string string_mark) {
  return {.call_syntax = CallSyntax::brace_calls,
          .call_begin = std::move(begin),
          .call_end = std::move(end),
          .string_mark = std::move(string_mark)};
}

// The first that fits counts: some words of one family mean something else in another.
const std::vector<KnownFormat>& known_calls() {
  using enum CallSyntax;
  static const std::vector<KnownFormat> kKnown = {
      {{"<|tool_calls_section_begin|>", "<|tool_call_argument_begin|>"},
       {.call_syntax = call_tokens,
        .calls_begin = "<|tool_calls_section_begin|>",
        .calls_end = "<|tool_calls_section_end|>",
        .call_begin = "<|tool_call_begin|>",
        .call_end = "<|tool_call_end|>",
        .name_begin = "functions.",
        .id_begin = ":",
        .call_separator = "<|tool_call_argument_begin|>"}},
      {{"<|tool_call:begin|>", "<|tool_call:args|>"},
       {.call_syntax = call_tokens,
        .calls_begin = "<|tool_calls|>",
        .calls_end = "<|calls|>",
        .call_begin = "<|tool_call:begin|>",
        .call_end = "<|tool_call:end|>",
        .name_begin = "<|tool_call:name|>",
        .call_separator = "<|tool_call:args|>"}},
      {{"<｜tool▁calls▁begin｜>", "<｜tool▁sep｜>", "```json"}, calls_after_separator(/*fences_arguments=*/true)},
      {{"<｜tool▁calls▁begin｜>", "<｜tool▁sep｜>"}, calls_after_separator(/*fences_arguments=*/false)},
      {{"[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"}, calls_before_args("[CALL_ID]")},
      {{"[TOOL_CALLS]", "[ARGS]"}, calls_before_args("")},
      {{"<function=example_function_name>{"},
       {.call_syntax = call_tokens, .call_begin = "<function=", .call_end = "</function>", .call_separator = ">"}},

      {{"[TOOL_CALLS]"}, list_calls("[TOOL_CALLS]", "")},
      {{"<tool_calls>["}, list_calls("<tool_calls>", "</tool_calls>")},
      {{"<TOOLCALL>["}, list_calls("<TOOLCALL>", "</TOOLCALL>")},
      {{"<|tool_call|> followed by a JSON list"}, list_calls("<|tool_call|>", "")},
      {{"functools["}, list_calls("functools", "")},
      {{"<|START_ACTION|>", "\"tool_name\""}, cohere_calls("<|START_ACTION|>", "<|END_ACTION|>")},
      {{"Action:\\n```json", "\"tool_name\""}, cohere_calls("Action:\n```json", "```")},
      {{"<|tools_prefix|>", "<|tools_suffix|>"},
       {.call_syntax = json_by_name, .calls_begin = "<|tools_prefix|>", .calls_end = "<|tools_suffix|>"}},

      {{"｜DSML｜", "function_calls>"}, dsml_calls("function_calls")},
      {{"｜DSML｜", "tool_calls>"}, dsml_calls("tool_calls")},
      {{"<minimax:tool_call>", "<invoke name="},
       invoke_calls("<minimax:tool_call>", "</minimax:tool_call>", invoke_marks(""))},
      {{"]<]minimax[>[", "<invoke name="}, nested_calls()},
      {{"<function name=\"", "<param name=\""}, invoke_calls("", "", param_marks())},
      {{"'<|open|>'", "open_tag('call'"},
       invoke_calls("<|open|>tools<|sep|>", "<|close|>tools<|sep|>", open_close_marks())},
      {{"<tool_call{}>", "<arg_key{}>", "':opensource'"}, calls_with_suffix()},
      {{"<seed:tool_call>", "<function="}, tag_calls(function_tags, "<seed:tool_call>", "</seed:tool_call>")},
      {{"<tool_call>", "<arg_key>", "<arg_value>"}, tag_calls(argument_tags, "<tool_call>", "</tool_call>")},
      {{"<tool_call>", "<function=", "<parameter="}, tag_calls(function_tags, "<tool_call>", "</tool_call>")},

      {{"<|tool_call>call:"}, calls_in_braces("<|tool_call>", "<tool_call|>", "<|\"|>")},
      {{"<start_function_call>", "<escape>"},
       calls_in_braces("<start_function_call>", "<end_function_call>", "<escape>")},
      {{"<|tool_call_start|>"}, calls_in_python("<|tool_call_start|>", "<|tool_call_end|>")},
      {{"<|tool_list_start|>"}, calls_in_python("<|tool_call_start|>", "<|tool_call_end|>")},
      {{"List of tools: ["}, calls_in_python("<|tool_call_start|>", "<|tool_call_end|>")},
      {{"[func_name1("},
       {.call_syntax = CallSyntax::python_calls, .call_begin = "<|python_start|>", .call_end = "<|python_end|>"}},

      {{"<tool_calls>\\n{", "\"arguments\""},
       {.call_syntax = json, .calls_begin = "<tool_calls>", .calls_end = "</tool_calls>"}},
      {{"<tool_call>", "</tool_call>", "\"arguments"},
       {.call_syntax = json, .call_begin = "<tool_call>", .call_end = "</tool_call>"}},
      {{"<|function_call|>", "\"arguments\""}, {.call_syntax = json, .call_begin = "<|function_call|>"}},
      {{"'function call'", "<|role_sep|>", "\"arguments\""},
       {.message_end = "<|message_sep|>", .call_syntax = json, .call_begin = "function call<|role_sep|>"}},
      {{"<|start_header_id|>ipython", "\"parameters\": "},
       {.call_syntax = bare_json, .call_begin = "<|python_tag|>", .arguments_key = "parameters"}},
  };
  return kKnown;
}

const OutputFormat* find_known(const std::vector<KnownFormat>& known, std::string_view source) {
  const auto found = std::ranges::find_if(known, [&](const KnownFormat& one) {
    return std::ranges::all_of(one.needs, [&](std::string_view mark) { return has(source, mark); });
  });
  return found == known.end() ? nullptr : &found->format;
}

void set_reasoning(OutputFormat& format, const OutputFormat& marks) {
  format.think_begin = marks.think_begin;
  format.think_end = marks.think_end;
  format.calls_end_reasoning = marks.calls_end_reasoning;
  format.response_begin = marks.response_begin;
  format.response_end = marks.response_end;
  if (!marks.message_begin.empty()) format.message_begin = marks.message_begin;
  if (!marks.message_end.empty()) format.message_end = marks.message_end;
}

}  // namespace

OutputFormat output_format_of(std::string_view chat_template_source) {
  if (has(chat_template_source, ChannelMarks::kChannel) && has(chat_template_source, ChannelMarks::kMessage) &&
      has(chat_template_source, ChannelMarks::kStart))
    return {.channels = true};
  const OutputFormat* calls = find_known(known_calls(), chat_template_source);
  OutputFormat format = calls ? *calls : OutputFormat{};
  if (const OutputFormat* reasoning = find_known(known_reasoning(), chat_template_source))
    set_reasoning(format, *reasoning);
  return format;
}

std::vector<std::string> marks_of(const OutputFormat& format) {
  using Marks = ChannelMarks;
  std::vector<std::string> marks;
  const auto add = [&](std::initializer_list<std::string_view> some) {
    for (const std::string_view mark : some)
      if (!mark.empty()) marks.emplace_back(mark);
  };
  if (format.channels)
    add({Marks::kStart, Marks::kChannel, Marks::kConstrain, Marks::kMessage, Marks::kEnd, Marks::kCall,
         Marks::kReturn});
  add({format.think_begin, format.think_end, format.response_begin, format.response_end, format.message_begin,
       format.message_end, format.calls_begin, format.calls_end, format.call_begin, format.call_end});
  add({format.name_begin, format.id_begin, format.call_separator, format.string_mark});
  const CallTags& tags = format.tags;
  add({tags.name_begin, tags.name_end, tags.head_end, tags.argument_begin, tags.key_end, tags.value_begin,
       tags.value_end, tags.call_end});
  return marks;
}

bool ends_in_reasoning(const OutputFormat& format, std::string_view rendered_prompt) {
  if (format.channels) return rendered_prompt.ends_with("<|channel|>analysis<|message|>");
  if (format.think_begin.empty()) return false;
  const size_t last = rendered_prompt.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && rendered_prompt.substr(0, last + 1).ends_with(format.think_begin);
}

}  // namespace ogas
