// Bodies of requests, as far as they are read without a model: JSON, messages, tools, variables for the template. What
// is accepted must be what templates and clients rely on.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/request/chat_prompt.h"

using namespace ogas::server;

namespace {

void read_all(const Json& body) {
  auto fields = Fields::of(body);
  if (!fields) return;
  if (const auto messages = read_messages(*fields)) {
    OGAS_CHECK(messages->is_array() && !messages->empty(), "no messages");
    for (const Json& message : *messages) {
      OGAS_CHECK(message["role"].is_string() && message["content"].is_string(), "role or content is not text");
      OGAS_CHECK(!message.contains("tool_calls") || message["tool_calls"].is_array(), "calls are not an array");
    }
  } else {
    OGAS_CHECK(!messages.error().message.empty() && messages.error().status == 400, "an error says nothing");
  }
  if (const auto tools = read_tools(*fields); tools && !tools->tools.is_null())
    for (const Json& tool : tools->tools) OGAS_CHECK(tool["function"]["name"].is_string(), "a tool has no name");
  if (const auto variables = read_template_variables(*fields))
    OGAS_CHECK(variables->is_null() || variables->is_object(), "variables are not an object");
  if (const auto finished = fields->finish(); !finished) to_text(Json::parse(finished.error().json()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const auto body = parse_json({reinterpret_cast<const char*>(data), size}))
    read_all(*body);
  else
    OGAS_CHECK(body.error().status == 400, "status {}", body.error().status);
  return 0;
}
