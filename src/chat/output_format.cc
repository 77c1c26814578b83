#include "chat/output_format.h"

#include <array>
#include <initializer_list>
#include <utility>

namespace ogas {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kThinkMarks = {{
    {"<think>", "</think>"},
    {"<seed:think>", "</seed:think>"},
    {"[THINK]", "[/THINK]"},
}};

bool has(std::string_view source, std::string_view mark) { return source.find(mark) != std::string_view::npos; }

void find_reasoning(OutputFormat& format, std::string_view source) {
  for (const auto& [begin, end] : kThinkMarks) {
    if (!has(source, end)) continue;  // the begin may be known to the model only
    format.think_begin = begin;
    format.think_end = end;
    break;
  }
  if (format.think_begin.empty() || !has(source, "<response>") || !has(source, "</response>")) return;
  format.response_begin = "<response>";
  format.response_end = "</response>";
}

void set_calls(OutputFormat& format, CallSyntax syntax, std::string_view begin, std::string_view end) {
  format.call_syntax = syntax;
  format.call_begin = begin;
  format.call_end = end;
}

// Between <tool_call> and </tool_call> there are three languages, and lists of calls that use these words for something
// else.
CallSyntax syntax_of_tool_call_tags(std::string_view source) {
  if (has(source, "<tool_calls>") || has(source, "<invoke")) return CallSyntax::none;
  if (has(source, "<arg_key>") && has(source, "<arg_value>")) return CallSyntax::argument_tags;
  if (has(source, "<function=") && has(source, "<parameter=")) return CallSyntax::function_tags;
  return has(source, "\"arguments") ? CallSyntax::json : CallSyntax::none;
}

void find_calls(OutputFormat& format, std::string_view source) {
  if (has(source, "<seed:tool_call>") && has(source, "<function=")) {
    set_calls(format, CallSyntax::function_tags, "<seed:tool_call>", "</seed:tool_call>");
  } else if (has(source, "<tool_call>") && has(source, "</tool_call>")) {
    const CallSyntax syntax = syntax_of_tool_call_tags(source);
    if (syntax == CallSyntax::none) return;
    set_calls(format, syntax, "<tool_call>", "</tool_call>");
    format.values_on_lines = syntax == CallSyntax::function_tags;
  } else if (has(source, "<｜tool▁calls▁begin｜>") && has(source, "<｜tool▁sep｜>")) {
    set_calls(format, CallSyntax::call_tokens, "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>");
    format.calls_begin = "<｜tool▁calls▁begin｜>";
    format.call_separator = "<｜tool▁sep｜>";
    format.calls_end = "<｜tool▁calls▁end｜>";
    format.fences_arguments = has(source, "```json");
  } else if (has(source, "<|start_header_id|>ipython") && has(source, "\"parameters\": ")) {
    set_calls(format, CallSyntax::bare_json, "<|python_tag|>", "");
  }
}

}  // namespace

OutputFormat output_format_of(std::string_view chat_template_source) {
  OutputFormat format;
  if (has(chat_template_source, ChannelMarks::kChannel) && has(chat_template_source, ChannelMarks::kMessage) &&
      has(chat_template_source, ChannelMarks::kStart)) {
    format.channels = true;
    return format;
  }
  find_reasoning(format, chat_template_source);
  find_calls(format, chat_template_source);
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
    add({Marks::kStart, Marks::kChannel, Marks::kMessage, Marks::kConstrain, Marks::kEnd, Marks::kCall,
         Marks::kReturn});
  add({format.think_begin, format.think_end, format.response_begin, format.response_end, format.call_begin,
       format.call_end, format.calls_begin, format.call_separator, format.calls_end});
  return marks;
}

bool ends_in_reasoning(const OutputFormat& format, std::string_view rendered_prompt) {
  if (format.channels) return rendered_prompt.ends_with("<|channel|>analysis<|message|>");
  if (format.think_begin.empty()) return false;
  const size_t last = rendered_prompt.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && rendered_prompt.substr(0, last + 1).ends_with(format.think_begin);
}

}  // namespace ogas
