#include "text/chat_template.h"

#include "text/jinja_interpreter.h"
#include "text/jinja_parser.h"

namespace ogas {

struct ChatTemplate::Program {
  std::string source;
  jinja::Block block;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

const std::string& ChatTemplate::source() const { return program_->source; }

Result<ChatTemplate> ChatTemplate::parse(std::string source) {
  constexpr size_t kMaxBytes = size_t{1} << 20;
  if (source.size() > kMaxBytes)
    return fail(ErrorCode::bad_file, "the chat template has {} bytes; at most {} are expected", source.size(),
                kMaxBytes);
  try {
    auto block = jinja::parse_template(source);
    return ChatTemplate(std::make_unique<Program>(std::move(source), std::move(block)));
  } catch (const jinja::Failure& failure) {
    return fail(ErrorCode::bad_file, "chat template, {}", failure.message);
  }
}

Result<std::string> ChatTemplate::render(const ChatTemplateInput& input) const {
  try {
    jinja::Scope scope;
    jinja::add_global_functions(scope);
    const auto set = [&](const char* name, jinja::Value value) { scope.variables[name] = std::move(value); };
    set("messages", jinja::Value::from_json(input.messages));
    set("tools", jinja::Value::from_json(input.tools));
    set("documents", {});
    set("add_generation_prompt", input.add_generation_prompt);
    set("bos_token", input.bos_token);
    set("eos_token", input.eos_token);
    if (input.extra.is_object())
      for (const auto& [key, value] : input.extra.items()) scope.variables[key] = jinja::Value::from_json(value);
    return jinja::Interpreter().render(program_->block, scope);
  } catch (const jinja::Failure& failure) {
    return fail(ErrorCode::bad_file, "chat template, line {}: {}", failure.line, failure.message);
  }
}

}  // namespace ogas
