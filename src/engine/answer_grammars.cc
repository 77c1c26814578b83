#include "engine/answer_grammars.h"

#include <algorithm>

#include "chat/output_format.h"

namespace ogas {
namespace {

// A text that is a token of its own.
std::optional<TokenId> token_of(const Tokenizer& tokenizer, std::string_view mark) {
  if (mark.empty()) return std::nullopt;
  const auto tokens = tokenizer.encode(mark, {.parse_special = true});
  if (tokens.size() != 1 || tokenizer.bytes_of(tokens.front()) != mark) return std::nullopt;
  return tokens.front();
}

}  // namespace

std::string end_of_prompt(const Tokenizer& tokenizer, std::span<const TokenId> prompt) {
  constexpr size_t kTokens = 16;
  return tokenizer.decode_text(prompt.last(std::min(prompt.size(), kTokens)));
}

AnswerStart start_of_answer(const Tokenizer& tokenizer, std::string_view chat_template,
                            std::span<const TokenId> prompt) {
  using Phase = AnswerStart::Phase;
  const OutputFormat format = output_format_of(chat_template);
  const std::string end = end_of_prompt(tokenizer, prompt);
  // The message on the channel "final" is the content.
  if (format.channels) {
    const bool is_final = end.ends_with("<|channel|>final<|message|>");
    return {.phase = is_final ? Phase::content : Phase::reasoning, .begin = {}, .end = "<|channel|>final<|message|>"};
  }
  std::vector<TokenId> gap;
  for (const char* lines : {"\n", "\n\n"})
    if (const auto token = token_of(tokenizer, lines)) gap.push_back(*token);
  if (ends_in_reasoning(format, end))
    return {.phase = Phase::reasoning, .begin = {}, .end = format.think_end, .gap = gap};
  // Where the prompt closes a block, as templates do when thinking is switched off, none follows.
  const size_t last = end.find_last_not_of(" \t\r\n");
  const bool is_over = !format.think_end.empty() && last != std::string::npos &&
                       std::string_view(end).substr(0, last + 1).ends_with(format.think_end);
  const auto begin = token_of(tokenizer, format.think_begin);
  if (is_over || !begin) return {};
  return {.phase = Phase::open, .begin = begin, .end = format.think_end, .gap = gap};
}

std::shared_ptr<const grammar::TokenTrie> AnswerGrammars::trie_of(const Tokenizer& tokenizer,
                                                                  std::span<const TokenId> ends) {
  const std::lock_guard lock(mutex_);
  if (!trie_) trie_ = grammar::TokenTrie::of(tokenizer, {ends.begin(), ends.end()});
  return trie_;
}

Result<> AnswerGrammars::constrain(Request& request, const grammar::GrammarSource& source, const Tokenizer& tokenizer,
                                   std::span<const TokenId> ends, const AnswerStart& start) {
  if (request.ignore_eos)
    return fail(ErrorCode::usage, "ignore_eos and a grammar: an answer of this grammar ends, and nothing may follow");
  if (ends.empty())
    return fail(ErrorCode::unsupported, "the model has no token that ends an answer, which a grammar needs");
  auto grammar = OGAS_TRY(cache_.get(source));
  request.make_mask = [grammar = std::move(grammar), trie = trie_of(tokenizer, ends), &tokenizer, start] {
    return std::make_unique<GrammarMask>(grammar, trie, tokenizer, start);
  };
  return {};
}

}  // namespace ogas
