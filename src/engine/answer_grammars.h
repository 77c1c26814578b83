// Holds the answers of a model to grammars: JSON Schema, regular expressions, GBNF, choices.
#pragma once

#include <memory>
#include <mutex>

#include "engine/grammar_mask.h"
#include "engine/request.h"
#include "grammar/grammar_cache.h"
#include "grammar/text_check.h"

namespace ogas {

// What answers of the model need: the trie of its tokens, made when it is first used, and the latest grammars. Safe to
// share between threads.
class AnswerGrammars {
 public:
  // Has the content of the request's answers match a grammar. ends: the tokens that end an answer. Tokenizer and ends
  // are those of the model, the same in every call. Errors: as grammar::compile(); usage (ignore_eos: such an answer
  // would have no end); unsupported (no token ends an answer).
  Result<> constrain(Request& request, const grammar::GrammarSource& source, const Tokenizer& tokenizer,
                     std::span<const TokenId> ends, const AnswerStart& start);

 private:
  std::shared_ptr<const grammar::TokenTrie> trie_of(const Tokenizer& tokenizer, std::span<const TokenId> ends);

  std::mutex mutex_;
  std::shared_ptr<const grammar::TokenTrie> trie_;
  grammar::GrammarCache cache_;
};

// The last tokens of a prompt as text: more than any mark with the white space after it.
std::string end_of_prompt(const Tokenizer& tokenizer, std::span<const TokenId> prompt);

// How an answer to this prompt begins, by the marks of a chat template (its source).
AnswerStart start_of_answer(const Tokenizer& tokenizer, std::string_view chat_template,
                            std::span<const TokenId> prompt);

}  // namespace ogas
