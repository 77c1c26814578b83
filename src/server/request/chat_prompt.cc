#include "server/request/chat_prompt.h"

#include <algorithm>
#include <array>

#include "engine/request_settings.h"
#include "server/request/prompt_effect.h"

namespace ogas::server {
namespace {

constexpr size_t kMaxMessages = 100'000, kMaxTools = 1024;

// Templates want arguments as an object, clients send its text.
Json arguments_of(const std::string& text) {
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() ? parsed : Json(text);
}

ApiResult<Json> read_calls(const Json& calls, const std::string& path) {
  if (!calls.is_array()) return refuse(path, "{} is {}, where an array is expected", path, kind_of(calls));
  Json result = Json::array();
  for (size_t idx = 0; idx < calls.size(); ++idx) {
    Fields call = OGAS_TRY(Fields::of(calls[idx], fmt::format("{}[{}]", path, idx)));
    const std::string id = OGAS_TRY(call.text("id")).value_or("");
    if (const auto type = OGAS_TRY(call.text("type")); type && *type != "function")
      return refuse(call.path_of("type"), "{} is '{}', where 'function' is expected", call.path_of("type"), *type);
    const Json* given = call.find("function");
    if (!given) return refuse(call.path_of("function"), "{} is missing", call.path_of("function"));
    Fields function = OGAS_TRY(Fields::of(*given, call.path_of("function")));
    const std::string name = OGAS_TRY(function.needed_text("name"));
    const Json* arguments = function.find("arguments");
    const bool is_text = arguments && arguments->is_string();
    if (arguments && !is_text && !arguments->is_object())
      return refuse(function.path_of("arguments"), "{} is {}, where a string is expected",
                    function.path_of("arguments"), kind_of(*arguments));
    OGAS_TRY(function.finish());
    call.ignore({"index"});
    OGAS_TRY(call.finish());
    result.push_back({{"id", id},
                      {"type", "function"},
                      {"function",
                       {{"name", name},
                        {"arguments", !arguments ? Json::object()
                                      : is_text  ? arguments_of(arguments->get<std::string>())
                                                 : *arguments}}}});
  }
  return result;
}

}  // namespace

ApiResult<std::string> read_content(const Json& content, const std::string& path, std::string_view type) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array())
    return refuse(path, "{} is {}, where a string or an array of parts is expected", path, kind_of(content));
  std::string text;
  for (size_t idx = 0; idx < content.size(); ++idx) {
    Fields part = OGAS_TRY(Fields::of(content[idx], fmt::format("{}[{}]", path, idx)));
    const std::string kind = OGAS_TRY(part.needed_text("type"));
    if (kind != type && kind != "text")
      return refuse(part.path_of("type"), "{} is '{}', and this model takes text only", part.path_of("type"), kind);
    text += OGAS_TRY(part.needed_text("text"));
    part.ignore({"annotations", "logprobs", "cache_control", "prompt_cache_breakpoint"});
    OGAS_TRY(part.finish());
  }
  return text;
}

ApiResult<Json> read_message(const Json& message, const std::string& path) {
  constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user", "assistant", "tool"};
  Fields fields = OGAS_TRY(Fields::of(message, path));
  const std::string role = OGAS_TRY(fields.needed_text("role"));
  if (std::ranges::find(kRoles, role) == kRoles.end())
    return refuse(fields.path_of("role"), "{} is '{}', which is none of {}", fields.path_of("role"), role,
                  fmt::join(kRoles, ", "));
  Json result = {{"role", role == "developer" ? "system" : role}};
  const Json* calls = role == "assistant" ? fields.find("tool_calls") : nullptr;
  if (const Json* content = fields.find("content"))
    result["content"] = OGAS_TRY(read_content(*content, fields.path_of("content")));
  else if (role == "assistant")
    result["content"] = "";
  else
    return refuse(fields.path_of("content"), "{} is missing", fields.path_of("content"));
  if (const auto name = OGAS_TRY(fields.text("name"))) result["name"] = *name;
  if (role == "tool")
    if (const auto id = OGAS_TRY(fields.text("tool_call_id"))) result["tool_call_id"] = *id;
  fields.allow_empty(
      {"tool_calls", "annotations", "images", "audios", "files", "thinking_blocks", "reasoning_details"});
  if (role == "assistant") {
    const auto reasoning = OGAS_TRY(fields.text("reasoning_content"));
    const auto same = OGAS_TRY(fields.text("reasoning"));
    if (reasoning || same) result["reasoning_content"] = reasoning ? *reasoning : *same;
    fields.ignore({"refusal", "annotations", "audio", "function_call"});
    if (calls && !(calls->is_array() && calls->empty()))
      result["tool_calls"] = OGAS_TRY(read_calls(*calls, fields.path_of("tool_calls")));
  }
  OGAS_TRY(fields.finish());
  return result;
}

ApiResult<Json> read_messages(Fields& fields) {
  const std::string path = fields.path_of("messages");
  const Json* given = fields.find("messages");
  if (!given) return refuse(path, "{} is missing", path);
  if (!given->is_array() || given->empty() || given->size() > kMaxMessages)
    return refuse(path, "{} is {}, where an array of 1 to {} messages is expected", path,
                  given->is_array() ? fmt::format("an array of {}", given->size()) : kind_of(*given), kMaxMessages);
  Json messages = Json::array();
  for (size_t idx = 0; idx < given->size(); ++idx)
    messages.push_back(OGAS_TRY(read_message((*given)[idx], fmt::format("{}[{}]", path, idx))));
  for (size_t idx = 0; idx < messages.size(); ++idx)
    if (messages[idx]["role"] == "tool" && !messages[idx].contains("tool_call_id"))
      return refuse(fmt::format("{}[{}].tool_call_id", path, idx), "{}[{}].tool_call_id is missing", path, idx);
  return messages;
}

namespace {

ApiResult<> check_tool(const Json& tool, const std::string& path) {
  Fields fields = OGAS_TRY(Fields::of(tool, path));
  const std::string type = OGAS_TRY(fields.needed_text("type"));
  if (type != "function")
    return refuse(fields.path_of("type"), "{} is '{}', and only functions are supported", fields.path_of("type"), type);
  const Json* given = fields.find("function");
  if (!given) return refuse(fields.path_of("function"), "{} is missing", fields.path_of("function"));
  OGAS_TRY(fields.finish());
  Fields function = OGAS_TRY(Fields::of(*given, fields.path_of("function")));
  OGAS_TRY(function.needed_text("name"));
  OGAS_TRY(function.text("description"));
  if (const Json* parameters = function.find("parameters"); parameters && !parameters->is_object())
    return refuse(function.path_of("parameters"), "{} is {}, where an object is expected",
                  function.path_of("parameters"), kind_of(*parameters));
  OGAS_TRY(function.boolean("strict"));
  return function.finish();
}

// What "tool_choice" says of the tools.
struct ToolChoice {
  bool may_call = true, must_call = false;
  std::optional<std::vector<std::string>> names = {};  // that may be called; none: all
};

// {"name"}, next to the type or, in the chat API, in an object of the type's name.
ApiResult<std::string> read_choice_name(const Json& json, const std::string& path) {
  Fields choice = OGAS_TRY(Fields::of(json, path));
  const std::string type = OGAS_TRY(choice.needed_text("type"));
  if (type != "function")
    return refuse(choice.path_of("type"), "{} is '{}', and only functions are supported", choice.path_of("type"), type);
  const Json* function = choice.find("function");
  if (!function) {
    std::string name = OGAS_TRY(choice.needed_text("name"));
    OGAS_TRY(choice.finish());
    return name;
  }
  OGAS_TRY(choice.finish());
  Fields fields = OGAS_TRY(Fields::of(*function, choice.path_of("function")));
  std::string name = OGAS_TRY(fields.needed_text("name"));
  OGAS_TRY(fields.finish());
  return name;
}

// {"type": "allowed_tools", "mode", "tools"}, or with these two in an object of the type's name.
ApiResult<ToolChoice> read_allowed_tools(const Json& json, const std::string& path) {
  Fields choice = OGAS_TRY(Fields::of(json, path));
  OGAS_TRY(choice.text("type"));
  const Json* inner = choice.find("allowed_tools");
  Fields allowed = inner ? OGAS_TRY(Fields::of(*inner, choice.path_of("allowed_tools"))) : choice;
  const std::string mode = OGAS_TRY(allowed.needed_text("mode"));
  if (mode != "auto" && mode != "required")
    return refuse(allowed.path_of("mode"), "{} is '{}', where 'auto' or 'required' is expected",
                  allowed.path_of("mode"), mode);
  const Json* tools = allowed.find("tools");
  const std::string tools_path = allowed.path_of("tools");
  if (!tools || !tools->is_array() || tools->empty())
    return refuse(tools_path, "{} is {}, where an array of tools is expected", tools_path,
                  tools ? tools->is_array() ? "an empty array" : kind_of(*tools) : "missing");
  ToolChoice result{.must_call = mode == "required", .names = std::vector<std::string>()};
  for (size_t idx = 0; idx < tools->size(); ++idx)
    result.names->push_back(OGAS_TRY(read_choice_name((*tools)[idx], fmt::format("{}[{}]", tools_path, idx))));
  OGAS_TRY(allowed.finish());
  if (inner) OGAS_TRY(choice.finish());
  return result;
}

ApiResult<ToolChoice> read_tool_choice(Fields& fields) {
  const Json* choice = fields.find("tool_choice");
  const std::string path = fields.path_of("tool_choice");
  if (!choice || *choice == "auto") return ToolChoice{};
  if (*choice == "none") return ToolChoice{.may_call = false};
  if (*choice == "required") return ToolChoice{.must_call = true};
  if (!choice->is_object())
    return refuse(path, "{} is {}, where 'auto', 'none', 'required' or an object is expected", path, to_text(*choice));
  if (choice->value("type", Json()) == "allowed_tools") return read_allowed_tools(*choice, path);
  return ToolChoice{.must_call = true, .names = std::vector{OGAS_TRY(read_choice_name(*choice, path))}};
}

// Those of the tools that may be called.
ApiResult<std::vector<CallableTool>> chosen_tools(const Json& tools, const ToolChoice& choice,
                                                  const std::string& path) {
  std::vector<CallableTool> all = callable_tools(tools);
  if (!choice.names) return all;
  std::vector<CallableTool> chosen;
  for (const std::string& name : *choice.names) {
    const auto found = std::ranges::find(all, name, &CallableTool::name);
    if (found == all.end()) return refuse(path, "{} names '{}', which is none of the tools", path, name);
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace

ApiResult<ToolFields> read_tools(Fields& fields) {
  ToolFields result;
  const ToolChoice choice = OGAS_TRY(read_tool_choice(fields));
  result.parallel = OGAS_TRY(fields.boolean("parallel_tool_calls")).value_or(true);
  const Json* given = fields.find("tools");
  const std::string path = fields.path_of("tools"), choice_path = fields.path_of("tool_choice");
  if (choice.must_call && (!given || given->empty()))
    return refuse(choice_path, "{} asks for a call, and there are no tools", choice_path);
  if (!given) return result;
  if (!given->is_array() || given->size() > kMaxTools)
    return refuse(path, "{} is {}, where an array of at most {} tools is expected", path,
                  given->is_array() ? fmt::format("an array of {}", given->size()) : kind_of(*given), kMaxTools);
  for (size_t idx = 0; idx < given->size(); ++idx)
    OGAS_TRY(check_tool((*given)[idx], fmt::format("{}[{}]", path, idx)));
  if (!choice.may_call || given->empty()) return result;
  result.tools = *given;
  result.rules = {.tools = OGAS_TRY(chosen_tools(*given, choice, choice_path)),
                  .is_required = choice.must_call,
                  .max_calls = result.parallel ? UINT32_MAX : 1};
  return result;
}

namespace {

// Qwen's name for it; where the template does not know it, it is enforced.
ApiResult<> read_budget(const Api& api, Fields& fields, const Json& kwargs, Request& request) {
  constexpr std::string_view kName = "thinking_budget";
  if (!kwargs.contains(kName)) return {};
  const std::string path = fmt::format("chat_template_kwargs.{}", kName);
  for (const std::string_view other : {"thinking_budget", "thinking_token_budget"})
    if (fields.find(other)) return refuse(path, "{} and {} are two names for one thing; one is enough", other, path);
  Fields named = OGAS_TRY(Fields::of(kwargs, "chat_template_kwargs"));
  const auto [min, max] = find_request_setting(kName)->json_range;
  if (const auto budget = OGAS_TRY(named.integer(kName, min, max))) request.thinking_budget = static_cast<int>(*budget);
  return check_thinking(api, path, request);
}

ApiResult<Json> read_kwargs(const Api& api, Fields& fields, const Json& given, Request& request) {
  if (!given.is_object())
    return refuse(fields.path_of("chat_template_kwargs"), "chat_template_kwargs is {}, where an object is expected",
                  kind_of(given));
  constexpr std::array<std::string_view, 6> kOurs{"messages",  "tools",     "add_generation_prompt",
                                                  "bos_token", "eos_token", "tokenizer"};
  Json variables = given;
  if (!api.engine.text().templates_mention("thinking_budget")) {
    OGAS_TRY(read_budget(api, fields, given, request));
    variables.erase("thinking_budget");
  }
  for (const auto& [name, value] : variables.items()) {
    const std::string path = fmt::format("chat_template_kwargs.{}", name);
    if (std::ranges::find(kOurs, name) != kOurs.end()) return refuse(path, "chat_template_kwargs cannot set {}", name);
    OGAS_TRY(check_variable(api, path, name, value));
  }
  return variables;
}

}  // namespace

ApiResult<> add_effort(const Api& api, const std::string& path, const std::string& effort, Json& variables) {
  const ModelText& text = api.engine.text();
  const std::string name(thinking_switch(api));
  if (effort != "none" || text.templates_mention("reasoning_effort") || !text.templates_mention(name)) {
    OGAS_TRY(check_variable(api, path, "reasoning_effort", effort));
    variables["reasoning_effort"] = effort;
    return {};
  }
  if (variables.contains(name) && variables[name] != false)
    return refuse(path, "{} is 'none', and chat_template_kwargs.{} is {}", path, name, to_text(variables[name]));
  variables[name] = false;
  return {};
}

ApiResult<Json> read_template_variables(const Api& api, Fields& fields, Request& request) {
  Json variables;
  if (const Json* given = fields.find("chat_template_kwargs"))
    variables = OGAS_TRY(read_kwargs(api, fields, *given, request));
  if (const auto effort = OGAS_TRY(fields.text("reasoning_effort")))
    OGAS_TRY(add_effort(api, fields.path_of("reasoning_effort"), *effort, variables));
  return variables;
}

ApiResult<std::vector<TokenId>> encode_prompt(const Api& api, const ChatInput& input) {
  ChatTemplateInput conversation{.messages = input.messages,
                                 .tools = input.tools,
                                 .extra = input.extra,
                                 .add_generation_prompt = input.add_generation_prompt};
  std::string begun;  // of the answer
  const Json& last = conversation.messages.back();
  if (input.add_generation_prompt && last["role"] == "assistant" && !last.contains("tool_calls")) {
    begun = last["content"].get<std::string>();
    conversation.messages.erase(conversation.messages.size() - 1);
  }
  RenderedChat chat = OGAS_TRY(api.engine.text().render(conversation));
  OGAS_TRY(check_effect(api, conversation, chat.text));
  if (!begun.empty()) {
    chat.input.push_back({chat.text.size(), chat.text.size() + begun.size()});
    chat.text += begun;
  }
  auto prompt = api.engine.text().encode(chat);
  if (prompt.empty()) return refuse(input.path, "the conversation has no tokens");
  return prompt;
}

ApiResult<std::vector<TokenId>> make_prompt(const Api& api, const ChatInput& input) {
  auto prompt = OGAS_TRY(encode_prompt(api, input));
  OGAS_TRY(api.check_length(prompt.size(), input.path));
  return prompt;
}

}  // namespace ogas::server
