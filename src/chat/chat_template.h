// Renders a conversation to the text a model was trained on, by the Jinja template its file carries.
//
// The interpreter is jinja/: sandboxed, and bounded in steps, nesting and output, since templates are untrusted.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_range.h"
#include "base/result.h"

namespace ogas {

struct ChatTemplateInput {
  nlohmann::ordered_json messages;  // [{"role": "user", "content": "..."}, ...]
  nlohmann::ordered_json tools;     // null, or a list of function schemas
  nlohmann::ordered_json extra;     // null, or an object of further variables (documents, enable_thinking, ...)
  bool add_generation_prompt = true;
  std::string bos_token = {}, eos_token = {};  // their text, "" where the model has none
};

// A rendered conversation, and which of its bytes come from the input: from strings in messages, tools and extra,
// whatever the template did to them. Roles by their usual names ("user", "tool", ...) count as the template's.
struct RenderedChat {
  std::string text;
  std::vector<ByteRange> input;  // in order, apart from each other
};

class ChatTemplate {
 public:
  // Errors: bad_file with line and column of what could not be parsed.
  static Result<ChatTemplate> parse(std::string source);

  // Errors: bad_file (the template failed, called raise_exception, or ran past its bounds), with the line.
  Result<RenderedChat> render(const ChatTemplateInput& input) const;

  const std::string& source() const;
  // Whether the template may read a variable of this name: a word that is neither an attribute nor in quotes.
  bool mentions(std::string_view name) const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Parsed;
  explicit ChatTemplate(std::unique_ptr<Parsed> parsed);
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace ogas
