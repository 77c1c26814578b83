#include "server/request/prompt_effect.h"

#include <algorithm>

#include "base/ascii.h"

namespace ogas::server {
namespace {

// Whether the prompt is the same without something. What the template refuses without it has an effect.
bool renders_as(const Api& api, const ChatTemplateInput& conversation, std::string_view text) {
  const auto rendered = api.engine.text().render(conversation);
  return rendered && rendered->text == text;
}

ApiResult<> check_calls(const Api& api, const ChatTemplateInput& conversation, std::string_view text) {
  const auto has_calls = [](const Json& message) { return message.contains("tool_calls"); };
  const auto first = std::ranges::find_if(conversation.messages, has_calls);
  if (first == conversation.messages.end()) return {};
  ChatTemplateInput without = conversation;
  for (Json& message : without.messages) message.erase("tool_calls");
  if (!renders_as(api, without, text)) return {};
  const std::string path = fmt::format("messages[{}].tool_calls", first - conversation.messages.begin());
  return refuse(path, "this model's chat template ignores tool calls: the model would not see {}", path);
}

// A message whose words are not found as they are may be written otherwise, or be left out. One of each role is enough.
// Templates leave out some of what the assistant has said, on purpose.
ApiResult<> check_messages(const Api& api, const ChatTemplateInput& conversation, std::string_view text) {
  std::vector<std::string> seen = {"assistant"};
  for (size_t idx = 0; idx < conversation.messages.size(); ++idx) {
    const Json& message = conversation.messages[idx];
    const auto role = message["role"].get<std::string>();
    const auto& content = message["content"].get_ref<const std::string&>();
    if (std::ranges::find(seen, role) != seen.end()) continue;
    seen.push_back(role);
    const std::string_view words = trim_blank(content);
    if (words.empty() || text.contains(words)) continue;
    ChatTemplateInput without = conversation;
    without.messages.erase(idx);
    if (renders_as(api, without, text))
      return refuse(fmt::format("messages[{}]", idx),
                    "this model's chat template leaves messages of the role '{}' out: it would not see messages[{}]",
                    role, idx);
  }
  return {};
}

}  // namespace

ApiResult<> check_effect(const Api& api, const ChatTemplateInput& conversation, std::string_view text) {
  if (!conversation.tools.is_null()) {
    ChatTemplateInput without = conversation;
    without.tools = nullptr;
    if (renders_as(api, without, text))
      return refuse("tools", "this model does not support tools: its chat template ignores them");
  }
  OGAS_TRY(check_calls(api, conversation, text));
  return check_messages(api, conversation, text);
}

ApiResult<> check_thinking(const Api& api, const std::string& path, const Request& request) {
  if (request.thinking_budget < 0 || has_reasoning(api.format(/*has_tools=*/false))) return {};
  return refuse(path, "{} is {}: {}", path, request.thinking_budget, kNoReasoning);
}

std::string_view thinking_switch(const Api& api) {
  const ModelText& text = api.engine.text();
  return !text.templates_mention("enable_thinking") && text.templates_mention("thinking") ? "thinking"
                                                                                          : "enable_thinking";
}

bool shows_later_system_messages(const Api& api) {
  constexpr std::string_view kWords = "which words are these";
  const ChatTemplateInput conversation{
      .messages = Json::array({{{"role", "user"}, {"content", "Hello"}}, {{"role", "system"}, {"content", kWords}}}),
      .tools = {},
      .extra = {}};
  const auto rendered = api.engine.text().render(conversation);
  return rendered && rendered->text.contains(kWords);
}

ApiResult<> check_variable(const Api& api, const std::string& path, std::string_view name, const Json& value) {
  if (!api.engine.text().chat_template() || api.engine.text().templates_mention(name)) return {};
  const bool reasons = has_reasoning(api.format(/*has_tools=*/false));
  const bool is_switch = name == "enable_thinking" || name == "thinking";
  const bool asks_for_none = (is_switch && value == false) || (name == "reasoning_effort" && value == "none");
  if (asks_for_none && !reasons) return {};
  if (is_switch && value == true && reasons) return {};
  return refuse(path, "this model's chat template has no variable '{}': {} would change nothing", name, path);
}

}  // namespace ogas::server
