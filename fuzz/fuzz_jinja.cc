// Any bytes as a chat template and a conversation: a template, a zero byte, and JSON for the variables. It must parse
// and render, or fail, within its bounds.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "chat/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const auto parsed = ogas::ChatTemplate::parse(std::string(input.substr(0, end)));
  if (!parsed) return 0;
  ogas::ChatTemplateInput variables;
  if (end != std::string_view::npos)
    variables.extra = nlohmann::ordered_json::parse(input.substr(end + 1), nullptr, /*allow_exceptions=*/false);
  variables.messages = {{{"role", "user"}, {"content", "Hi <b>\n Zo\u00EB"}},
                        {{"role", "assistant"}, {"content", "x"}}};
  const auto chat = parsed->render(variables);
  if (!chat) return 0;
  // The marks are in order, do not touch, and are within the text.
  size_t at = 0;
  for (const auto& range : chat->input) {
    if (range.begin < at || range.end <= range.begin || range.end > chat->text.size()) std::abort();
    at = range.end + 1;
  }
  return 0;
}
