// Where an answer begins: within reasoning, before it, or with its content.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/output_format.h"
#include "chat/reasoning_finder.h"
#include "text/tokenizer.h"

namespace ogas {

// Why a limit on reasoning is refused.
inline constexpr std::string_view kNoReasoning = "the model's chat template has no marks of reasoning to limit it by";

struct AnswerStart {
  OutputFormat format = {};  // whose marks the answer has
  ReasoningFinder::At at = ReasoningFinder::At::content;
  std::optional<TokenId> begin = {};  // the token that may begin a block of reasoning, as the answer's first
  std::vector<TokenId> gap = {};      // new lines that may follow a block, a token each
  std::string end = {};               // what comes between reasoning and content: marks and new lines
  // Of channels: whether a call of a tool may follow reasoning, instead of the last message.
  bool may_call = false;
  bool is_covered = false;  // whether the request's mask covers reasoning, too
};

// Of an answer that begins so. follows_calls: whether a call within reasoning ends it, in formats where it may.
ReasoningFinder finder_of(const AnswerStart& start, bool follows_calls);

// A text that is a token of its own.
std::optional<TokenId> token_of(const Tokenizer& tokenizer, std::string_view text);

// Of an answer to this prompt, by the marks of its format. end: of reasoning, as AnswerEnds has it.
AnswerStart start_of_answer(const Tokenizer& tokenizer, const OutputFormat& format, const std::string& end,
                            std::span<const TokenId> prompt);

}  // namespace ogas
