#include "chat/template_support.h"

#include <string>
#include <string_view>
#include <utility>

namespace ogas {
namespace {

using Json = nlohmann::ordered_json;

// Words that occur in no template.
constexpr std::string_view kToolName = "zqsupporttool", kSystemWords = "Zqsupportsystem";

Json message_of(std::string_view role, std::string_view words) { return {{"role", role}, {"content", words}}; }

Json probe_tools() {
  const Json parameters = {{"type", "object"}, {"properties", {{"zqkey", {{"type", "string"}, {"description", "k"}}}}}};
  return Json::array({{{"type", "function"},
                       {"function", {{"name", kToolName}, {"description", "Does it."}, {"parameters", parameters}}}}});
}

std::string rendered(const ChatTemplate& chat_template, Json messages, Json tools = nullptr) {
  const auto chat =
      chat_template.render({.messages = std::move(messages), .tools = std::move(tools), .extra = nullptr});
  return chat ? chat->text : "";
}

}  // namespace

TemplateSupport support_of(const ChatTemplate& chat_template) {
  const Json question = message_of("user", "Zqquestion"), system = message_of("system", kSystemWords);
  TemplateSupport support;
  support.system = rendered(chat_template, Json::array({system, question})).contains(kSystemWords);
  for (const Json& messages : {Json::array({question}), Json::array({system, question})}) {
    const std::string with = rendered(chat_template, messages, probe_tools());
    support.tools |= !with.empty() && with != rendered(chat_template, messages);
  }
  return support;
}

}  // namespace ogas
