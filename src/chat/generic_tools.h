// Tools for models whose chat template does not support them: described in the system's message, called and answered
// between tags.
//
//   <tool_call>
//   {"name": "f", "arguments": {"x": 1}}
//   </tool_call>
#pragma once

#include "chat/chat_template.h"
#include "chat/output_format.h"

namespace ogas {

// The format with calls of this kind in place of its own.
OutputFormat with_generic_calls(OutputFormat format);

// The conversation without tools, calls and results of their own kind: they have become text. has_system_role: whether
// the template takes a system's message; else the first user's message begins with what it would say.
ChatTemplateInput with_generic_tools(const ChatTemplateInput& input, bool has_system_role);

}  // namespace ogas
