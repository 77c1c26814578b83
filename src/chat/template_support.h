// What a chat template supports, found by rendering short conversations.
#pragma once

#include "chat/chat_template.h"

namespace ogas {

struct TemplateSupport {
  bool tools = false;   // descriptions of tools
  bool system = false;  // a system's message, as a message of its own
};

TemplateSupport support_of(const ChatTemplate& chat_template);

}  // namespace ogas
