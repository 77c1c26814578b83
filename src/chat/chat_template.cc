#include "chat/chat_template.h"

#include <algorithm>
#include <iterator>

#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace ogas {

struct ChatTemplate::Parsed {
  std::string source;
  jinja::Program program;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

const std::string& ChatTemplate::source() const { return parsed_->source; }

bool ChatTemplate::mentions(std::string_view name) const {
  const std::string& text = source();
  const auto is_part = [&](size_t at) {
    const char c = at < text.size() ? text[at] : ' ';
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const bool is_word = (at == 0 || !is_part(at - 1)) && !is_part(at + name.size());
    if (is_word && (at == 0 || !std::string_view(".'\"").contains(text[at - 1]))) return true;
  }
  return false;
}

Result<ChatTemplate> ChatTemplate::parse(std::string source) {
  constexpr size_t kMaxBytes = size_t{1} << 20;
  if (source.size() > kMaxBytes)
    return fail(ErrorCode::bad_file, "the chat template has {} bytes; at most {} are expected", source.size(),
                kMaxBytes);
  try {
    auto program = jinja::parse_template(source);
    return ChatTemplate(std::make_unique<Parsed>(std::move(source), std::move(program)));
  } catch (const jinja::Failure& failure) {
    return fail(ErrorCode::bad_file, "chat template, {}", failure.message);
  }
}

namespace {

// Whether a template has another word for "reasoning_content".
bool calls_it_thinking(std::string_view source) {
  return source.contains("thinking") && !source.contains("reasoning_content");
}

// Reasoning under the name that such a template reads. gpt-oss's refuses a message with calls that has both reasoning
// and content: what was said to the user stays then.
void rename_reasoning(jinja::Dict& message) {
  if (message.find_name("thinking")) return;
  const jinja::Value* content = message.find_name("content");
  const bool has_content = content && content->string() && !content->string()->empty();
  if (has_content && message.find_name("tool_calls")) return;
  for (auto& [key, value] : message.items)
    if (*key.string() == "reasoning_content") key = jinja::Value("thinking");
}

// Messages as the template's variable. A usual role is part of the format and not of what somebody typed.
jinja::Value messages_value(const nlohmann::ordered_json& messages, bool is_thinking) {
  constexpr std::string_view kRoles[] = {"system", "user",     "assistant", "tool",
                                         "model",  "function", "developer", "ipython"};
  if (!messages.is_array()) return jinja::Value::from_json(messages, /*is_input=*/true);
  jinja::List list;
  for (const auto& message : messages) {
    jinja::Value value = jinja::Value::from_json(message, /*is_input=*/true);
    if (!value.dict()) {
      list.push_back(std::move(value));
      continue;
    }
    jinja::Dict marked = *value.dict();
    for (auto& [key, entry] : marked.items)
      if (*key.string() == "role" && entry.string() && std::ranges::find(kRoles, *entry.string()) != std::end(kRoles))
        entry = jinja::Value(*entry.string());
    if (is_thinking) rename_reasoning(marked);
    list.emplace_back(std::move(marked));
  }
  return list;
}

}  // namespace

Result<RenderedChat> ChatTemplate::render(const ChatTemplateInput& input) const {
  try {
    jinja::Interpreter interpreter;
    auto& variables = interpreter.globals().variables;
    variables["messages"] = messages_value(input.messages, calls_it_thinking(source()));
    variables["tools"] = jinja::Value::from_json(input.tools, /*is_input=*/true);
    variables["documents"] = {};
    variables["add_generation_prompt"] = input.add_generation_prompt;
    variables["bos_token"] = input.bos_token;
    variables["eos_token"] = input.eos_token;
    if (input.extra.is_object())
      for (const auto& [key, value] : input.extra.items())
        variables[key] = jinja::Value::from_json(value, /*is_input=*/true);
    jinja::Text text = interpreter.render(parsed_->program);
    return RenderedChat{.text = text.bytes(), .input = text.input()};
  } catch (const jinja::Failure& failure) {
    return fail(ErrorCode::bad_file, "chat template, line {}: {}", failure.line, failure.message);
  }
}

}  // namespace ogas
