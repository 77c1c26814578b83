// Messages and tools as clients send them, to what the model's template takes, and to tokens.
#pragma once

#include <optional>
#include <vector>

#include "chat/call_grammar.h"
#include "server/api.h"

namespace ogas::server {

struct ChatInput {
  Json messages = Json::array();
  Json tools = {};  // null, or an array
  Json extra = {};  // null, or an object of further variables for the template
  bool add_generation_prompt = true;
  std::string_view path = "messages";  // of the request's field that holds the conversation
};

// "messages": roles, contents as texts or parts of text, calls of tools and their results.
ApiResult<Json> read_messages(Fields& fields);
// One of them, found at `path`.
ApiResult<Json> read_message(const Json& message, const std::string& path);
// A text, or an array of parts {"type": "text", "text": ...} (or another name of that type), put together.
ApiResult<std::string> read_content(const Json& content, const std::string& path, std::string_view type = "text");
// "tools", "tool_choice" and "parallel_tool_calls" of OpenAI's chat API.
struct ToolFields {
  Json tools = {};                      // that the model sees; null where there are none
  std::optional<CallRules> rules = {};  // which of them it may call, or has to; none without tools
  bool parallel = true;                 // several calls in one answer
};
ApiResult<ToolFields> read_tools(Fields& fields);
// "chat_template_kwargs" and "reasoning_effort": further variables for the template. A thinking_budget that it does not
// know becomes the request's.
ApiResult<Json> read_template_variables(const Api& api, Fields& fields, Request& request);
// How much the model is to think, found at `path`. Where the template has a switch alone, "none" switches it off.
ApiResult<> add_effort(const Api& api, const std::string& path, const std::string& effort, Json& variables);

// If the last message is the assistant's, the answer continues it. It may be longer than the context. Errors: the
// template refuses the conversation or leaves out a part of it.
ApiResult<std::vector<TokenId>> encode_prompt(const Api& api, const ChatInput& input);
// The same. Errors: the prompt is longer than the context, too.
ApiResult<std::vector<TokenId>> make_prompt(const Api& api, const ChatInput& input);

}  // namespace ogas::server
