#include "chat/generic_tools.h"

#include <string>
#include <utility>

namespace ogas {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kCallBegin = "<tool_call>", kCallEnd = "</tool_call>";
constexpr std::string_view kResultBegin = "<tool_response>", kResultEnd = "</tool_response>";

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string text_of(const Json& message) {
  const auto content = message.find("content");
  return content != message.end() && content->is_string() ? content->get<std::string>() : "";
}

std::string describe(const Json& tools) {
  std::string text =
      "You can call functions. Each line below describes one: its name, what it does, and the JSON Schema of its "
      "arguments.\n";
  for (const Json& tool : tools) text += dump(tool.contains("function") ? tool["function"] : tool) + "\n";
  text += "\nWhere a function helps, answer with a call, written like this and with nothing after it:\n";
  text += std::string(kCallBegin) + "\n{\"name\": \"the function's name\", \"arguments\": {\"its\": \"arguments\"}}\n";
  text += std::string(kCallEnd) + "\nSeveral calls may follow each other. What a function returned comes between " +
          std::string(kResultBegin) + " and " + std::string(kResultEnd) + ".";
  return text;
}

std::string call_text(const Json& call) {
  const Json& function = call.contains("function") ? call["function"] : call;
  Json arguments = function.contains("arguments") ? function["arguments"] : Json::object();
  if (arguments.is_string()) {  // as its text, where that is JSON
    Json parsed = Json::parse(arguments.get<std::string>(), nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_discarded()) arguments = std::move(parsed);
  }
  const Json name = function.contains("name") ? function["name"] : Json("");
  return std::string(kCallBegin) + "\n{\"name\": " + dump(name) + ", \"arguments\": " + dump(arguments) + "}\n" +
         std::string(kCallEnd);
}

Json with_calls_as_text(Json message) {
  std::string text = text_of(message);
  for (const Json& call : message["tool_calls"]) text += (text.empty() ? "" : "\n") + call_text(call);
  message.erase("tool_calls");
  message["content"] = std::move(text);
  return message;
}

// Results are told by the user. Templates may want roles that alternate, so that neighbours are one message.
void add_as_user(Json& messages, std::string text) {
  if (!messages.empty() && messages.back()["role"] == "user" && messages.back()["content"].is_string())
    messages.back()["content"].get_ref<std::string&>() += "\n" + text;
  else
    messages.push_back({{"role", "user"}, {"content", std::move(text)}});
}

void add_description(Json& messages, const std::string& text, bool has_system_role) {
  const char* role = has_system_role ? "system" : "user";
  if (!messages.empty() && messages[0]["role"] == role && messages[0]["content"].is_string()) {
    std::string& first = messages[0]["content"].get_ref<std::string&>();
    first = has_system_role ? first + "\n\n" + text : text + "\n\n" + first;
    return;
  }
  messages.insert(messages.begin(), Json({{"role", role}, {"content", text}}));
}

}  // namespace

OutputFormat with_generic_calls(OutputFormat format) {
  format.call_syntax = CallSyntax::json;
  format.calls_begin = format.calls_end = "";
  format.call_begin = kCallBegin;
  format.call_end = kCallEnd;
  format.name_key = "name";
  format.arguments_key = "arguments";
  format.tags = {};
  return format;
}

ChatTemplateInput with_generic_tools(const ChatTemplateInput& input, bool has_system_role) {
  ChatTemplateInput result = input;
  result.tools = nullptr;
  result.messages = Json::array();
  bool follows_result = false;
  for (const Json& message : input.messages) {
    const bool is_result = message["role"] == "tool";
    if (is_result)
      add_as_user(result.messages,
                  std::string(kResultBegin) + "\n" + text_of(message) + "\n" + std::string(kResultEnd));
    else if (follows_result && message["role"] == "user")
      add_as_user(result.messages, text_of(message));
    else if (message.contains("tool_calls") && message["tool_calls"].is_array())
      result.messages.push_back(with_calls_as_text(message));
    else
      result.messages.push_back(message);
    follows_result = is_result;
  }
  if (input.tools.is_array() && !input.tools.empty())
    add_description(result.messages, describe(input.tools), has_system_role);
  return result;
}

}  // namespace ogas
