#include "server/request/read_tokens.h"

namespace ogas::server {

ApiResult<std::vector<TokenId>> read_tokens(const Api& api, const Json& tokens, const std::string& path) {
  std::vector<TokenId> result;
  result.reserve(tokens.size());
  for (size_t idx = 0; idx < tokens.size(); ++idx) {
    const Json& token = tokens[idx];
    if (!token.is_number_unsigned() || token.get<uint64_t>() >= api.engine.facts().n_vocab)
      return refuse(fmt::format("{}[{}]", path, idx), "{}[{}] is {}, which is not a token of this model", path, idx,
                    to_text(token).substr(0, 40));
    result.push_back(token.get<TokenId>());
  }
  return result;
}

namespace {

// One of them, a text or tokens.
ApiResult<PromptText> read_prompt(const Api& api, const Json& given, const std::string& path, TextKind kind) {
  const Tokenizer& tokenizer = *OGAS_TRY(api.tokenizer());
  PromptText prompt;
  if (kind == TextKind::content && (given.empty() || given == "")) return refuse(path, "{} is empty", path);
  if (given.is_string()) {
    prompt.text = given.get<std::string>();
    prompt.tokens = tokenizer.encode(prompt.text, {.parse_special = kind == TextKind::prompt, .add_special = true});
  } else if (given.is_array()) {
    prompt.tokens = OGAS_TRY(read_tokens(api, given, path));
    prompt.text = tokenizer.decode_valid(prompt.tokens);
  } else {
    return refuse(path, "{} is {}, where a string or an array of tokens is expected", path, kind_of(given));
  }
  // What begins with nothing begins where texts do.
  for (const auto& begin : {tokenizer.vocab().bos, tokenizer.vocab().eos})
    if (prompt.tokens.empty() && begin) prompt.tokens.push_back(*begin);
  if (prompt.tokens.empty()) return refuse(path, "{} is empty", path);
  OGAS_TRY(api.check_length(prompt.tokens.size(), path));
  return prompt;
}

}  // namespace

ApiResult<std::vector<PromptText>> read_prompts(const Api& api, Fields& fields, std::string_view name, TextKind kind,
                                                size_t n_max) {
  const Json* given = fields.find(name);
  const std::string path = fields.path_of(name);
  if (!given) return refuse(path, "{} is missing", path);
  std::vector<PromptText> prompts;
  const bool are_several = given->is_array() && !given->empty() && !given->front().is_number();
  if (!are_several) {
    prompts.push_back(OGAS_TRY(read_prompt(api, *given, path, kind)));
    return prompts;
  }
  if (given->size() > n_max)
    return refuse(path, "{} has {} texts, where at most {} are allowed", path, given->size(), n_max);
  for (size_t idx = 0; idx < given->size(); ++idx)
    prompts.push_back(OGAS_TRY(read_prompt(api, (*given)[idx], fmt::format("{}[{}]", path, idx), kind)));
  return prompts;
}

}  // namespace ogas::server
