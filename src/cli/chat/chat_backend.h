// Who answers in a conversation: a model in this process, or a server.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/chat/conversation.h"

namespace ogas::cli {

struct Reply {
  std::string text;
  AnswerStats stats;
  std::string line;                  // what it took, in one line; may be empty
  std::vector<std::string> details;  // more of that, a line each
  std::vector<std::string> notes;    // what a person should know of how it ended
};

class ChatBackend {
 public:
  virtual ~ChatBackend() = default;

  virtual std::string model() const = 0;     // as saved conversations name it
  virtual std::string greeting() const = 0;  // "name · what is worth knowing"
  // Name and value of what /stats shows of it.
  virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
  // The conversation's next message, streamed to stdout; Ctrl-C ends it early. On an error a line that was begun is
  // ended.
  virtual Result<Reply> answer(const Conversation& conversation) = 0;
  // Drops the state of the conversation so far: it does not continue.
  virtual void forget() = 0;
};

}  // namespace ogas::cli
