#include "engine/answer_start.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace ogas {
namespace {

using At = ReasoningFinder::At;

// The last tokens of a prompt as text: more than any mark with the white space after it.
std::string end_of_prompt(const Tokenizer& tokenizer, std::span<const TokenId> prompt) {
  constexpr size_t kTokens = 16;
  return tokenizer.decode_text(prompt.last(std::min(prompt.size(), kTokens)));
}

// Where the prompt closes a block, as templates do when thinking is switched off, none follows.
bool ends_after_reasoning(const OutputFormat& format, std::string_view prompt) {
  const size_t last = prompt.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(format.think_end);
}

AnswerStart start_in_channels(const OutputFormat& format, std::string_view prompt) {
  AnswerStart start{.format = format, .at = At::header};
  start.end = "<|end|><|start|>assistant<|channel|>final<|message|>";
  if (ends_in_reasoning(format, prompt)) start.at = At::reasoning;
  if (prompt.ends_with("<|channel|>final<|message|>")) start.at = At::content;
  return start;
}

}  // namespace

ReasoningFinder finder_of(const AnswerStart& start, bool follows_calls) {
  OutputFormat format = start.format;
  format.calls_end_reasoning = format.calls_end_reasoning && follows_calls;
  return ReasoningFinder(std::move(format), start.at);
}

std::optional<TokenId> token_of(const Tokenizer& tokenizer, std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto tokens = tokenizer.encode(text, {.parse_special = true});
  if (tokens.size() != 1 || tokenizer.bytes_of(tokens.front()) != text) return std::nullopt;
  return tokens.front();
}

AnswerStart start_of_answer(const Tokenizer& tokenizer, const OutputFormat& format, const std::string& end,
                            std::span<const TokenId> prompt) {
  if (!has_reasoning(format)) return {.format = format};
  const std::string prompt_end = end_of_prompt(tokenizer, prompt);
  if (format.channels) return start_in_channels(format, prompt_end);
  AnswerStart start{.format = format, .at = At::open};
  start.end = end.contains(format.think_end) ? end : "\n" + format.think_end + "\n\n";
  for (const char* lines : {"\n", "\n\n"})
    if (const auto token = token_of(tokenizer, lines)) start.gap.push_back(*token);
  if (ends_in_reasoning(format, prompt_end)) start.at = At::reasoning;
  if (!ends_after_reasoning(format, prompt_end)) start.begin = token_of(tokenizer, format.think_begin);
  return start;
}

}  // namespace ogas
