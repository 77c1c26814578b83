// What a request says reaches the model, or the request is refused: what a chat template leaves out would be lost
// without a word.
#pragma once

#include <string>
#include <string_view>

#include "server/api.h"

namespace ogas::server {

// Tools, calls in the history, and messages: `text` is the conversation as the template renders it. Errors: something
// is not in it, by its path.
ApiResult<> check_effect(const Api& api, const ChatTemplateInput& conversation, std::string_view text);

// Errors: the request limits reasoning, by the field `path`, and the model marks none.
ApiResult<> check_thinking(const Api& api, const std::string& path, const Request& request);

// The name that the templates have for the variable that switches thinking on and off; DeepSeek's have another one.
std::string_view thinking_switch(const Api& api);

// Whether the model sees a message of the system that follows one of the user.
bool shows_later_system_messages(const Api& api);

// A variable for the template, found in the request at `path`. Errors: no template knows it, and what it asks for is
// not so anyway.
ApiResult<> check_variable(const Api& api, const std::string& path, std::string_view name, const Json& value);

}  // namespace ogas::server
