// Tools of Anthropic's Messages API, in the chat API's words.
#pragma once

#include <string>
#include <vector>

#include "server/request/chat_prompt.h"

namespace ogas::server {

// The tools of a request. Those with "defer_loading" are not among the ones that the model is told of: it learns of
// each where the conversation refers to it, and can call it from there on.
class ToolShelf {
 public:
  // "tools". Errors: one of them is Anthropic's own, which their models know or their servers run.
  static ApiResult<ToolShelf> read(Fields& fields);

  // The definition of a tool that the conversation refers to, as text for the model. Errors: there is none.
  ApiResult<std::string> load(const std::string& name, const std::string& path);
  // What read_tools() makes of the tools that can be called, and of "tool_choice". After the conversation was read.
  ApiResult<ToolFields> chat_tools(Fields& fields) const;
  // Of these, what the model is told of before the conversation; null: nothing. Where there would be none, all of them:
  // the prompt has to say how tools are called.
  Json told(const ToolFields& tools) const;

 private:
  struct Tool {
    Json definition;  // {"type": "function", "function": ...}
    bool is_deferred = false, is_loaded = false;
    const std::string& name() const { return definition["function"]["name"].get_ref<const std::string&>(); }
  };
  std::vector<Tool> tools_;
};

}  // namespace ogas::server
