// Conversations of Anthropic's Messages API, in the chat API's words.
#pragma once

#include <string>
#include <string_view>

#include "server/request/anthropic_tools.h"

namespace ogas::server {

// "system" and "messages". Turns that follow each other are one. What the system says later in the conversation is part
// of the user's turn where the model's template has no other way to show it. Errors: a block that is not text, a tool
// or thinking.
ApiResult<Json> read_conversation(const Api& api, Fields& fields, ToolShelf& shelf);

// The signature of a block of thinking. Where the block does not show what was thought, the signature holds it, so that
// the model sees it in the next turn.
std::string signature_of(std::string_view hidden_thinking);

}  // namespace ogas::server
