// Texts that come as text or as tokens.
#pragma once

#include <string>
#include <vector>

#include "server/api.h"

namespace ogas::server {

struct PromptText {
  std::vector<TokenId> tokens;  // at least one, and no more than the context holds
  std::string text;
};

// An array of token ids.
ApiResult<std::vector<TokenId>> read_tokens(const Api& api, const Json& tokens, const std::string& path);
// What a text that is given is to the model.
enum class TextKind : uint8_t {
  prompt,   // all of what it sees: names of special tokens are such tokens; an empty one begins where texts do
  content,  // what somebody wrote: they are letters, and it must not be empty
};
// Field `name`: a text, an array of texts, an array of tokens, or an array of such; at most n_max of them. Texts get
// the special tokens around them that the model's file asks for, tokens are taken as they are.
ApiResult<std::vector<PromptText>> read_prompts(const Api& api, Fields& fields, std::string_view name, TextKind kind,
                                                size_t n_max);

}  // namespace ogas::server
