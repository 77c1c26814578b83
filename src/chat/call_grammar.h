// The grammar of answers with calls of tools, in the format that a model writes them in: text is free, and a call that
// has begun keeps to the tools of the request and to the schemas of their arguments.
//
// It fails closed: what cannot be enforced of a strict tool is refused. Of others, what can be is enforced.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/output_format.h"
#include "grammar/grammar_tree.h"

namespace ogas {

struct CallableTool {
  std::string name;
  std::string schema = {};  // JSON Schema of the arguments; "": any object
  bool is_strict = false;
};

// Which calls an answer may have.
struct CallRules {
  std::vector<CallableTool> tools = {};  // that may be called; at least one
  bool is_required = false;              // the answer is a call, or several
  uint32_t max_calls = UINT32_MAX;       // in one answer; at least one
};

// Whether calls in this format can be put in a grammar. Those of other formats are read all the same.
bool has_call_grammar(const OutputFormat& format);

// Tools in the form of OpenAI's API; of another shape: none.
std::vector<CallableTool> callable_tools(const nlohmann::ordered_json& tools);

// Where in a format the answer begins: what the prompt ends with.
enum class AnswerBegin : uint8_t {
  message,    // a message of channels begins with its header; other formats have no header
  reasoning,  // in the text of a message on the channel of reasoning
  content,    // in the text of another message
};

// controls: the marks of the format that are control tokens of the model, by the index that the grammar calls them by.
// content: the form of text outside of calls; none: it is free. Errors: unsupported (the format has no calls;
// the content has a form other than a schema).
Result<grammar::GrammarTree> make_call_grammar(const OutputFormat& format, std::span<const std::string> controls,
                                               const CallRules& rules,
                                               const std::optional<grammar::GrammarTree::Schema>& content,
                                               AnswerBegin begin);

}  // namespace ogas
