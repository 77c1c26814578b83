// What splits an answer byte by byte: one class for tags within one text, one for messages in channels.
#pragma once

#include <memory>

#include "chat/call_reader.h"

namespace ogas {

class AnswerSplitter {
 public:
  virtual ~AnswerSplitter() = default;
  virtual void push(char c) = 0;
  virtual void finish() = 0;
};

// What the context names must outlive the splitter.
std::unique_ptr<AnswerSplitter> make_tag_splitter(const CallContext& context, bool starts_in_reasoning);
std::unique_ptr<AnswerSplitter> make_channel_splitter(const CallContext& context, bool starts_in_reasoning);

}  // namespace ogas
