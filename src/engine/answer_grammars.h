// Has the answers of a model match grammars: JSON Schema, regular expressions, GBNF, choices, and calls of tools.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "chat/call_grammar.h"
#include "engine/grammar_mask.h"
#include "engine/request.h"
#include "grammar/grammar_cache.h"
#include "grammar/text_check.h"

namespace ogas {

// What an answer must look like: its text, its calls of tools, or both.
struct AnswerRules {
  std::optional<grammar::GrammarSource> content = {};  // of what is neither reasoning nor a call
  std::optional<CallRules> calls = {};
};

// What is the same for all answers in one format of a model. What it names must outlive what is made of it.
struct AnswerContext {
  const Tokenizer& tokenizer;
  std::span<const TokenId> ends;  // tokens that end an answer
  const OutputFormat& format;
  std::span<const std::string> marks;  // of all formats of the model
};

// What answers of the model need: the trie of its tokens, made when it is first used, and the latest grammars. Safe to
// share between threads.
class AnswerGrammars {
 public:
  // Has the answers to the request keep to the rules; with calls the request must have its start. But for the format,
  // the context is the same in every call. Errors: as grammar::compile(); usage (ignore_eos: such an answer would have
  // no end); unsupported (no token ends an answer; as make_call_grammar()).
  Result<> constrain(Request& request, const AnswerRules& rules, const AnswerContext& context);

 private:
  struct Vocabulary {
    std::shared_ptr<const grammar::TokenTrie> trie;
    std::vector<std::string> controls;  // marks that are control tokens, as the trie has them
  };
  const Vocabulary& vocabulary(const AnswerContext& context);

  std::mutex mutex_;
  std::optional<Vocabulary> vocabulary_;
  grammar::GrammarCache cache_;
  std::shared_ptr<Worker> worker_ = std::make_shared<Worker>();
};

}  // namespace ogas
