#include "engine/answer_grammars.h"

#include <algorithm>
#include <utility>

namespace ogas {

const AnswerGrammars::Vocabulary& AnswerGrammars::vocabulary(const AnswerContext& context) {
  const std::lock_guard lock(mutex_);
  if (vocabulary_) return *vocabulary_;
  std::vector<std::string> controls;
  std::vector<TokenId> ids;
  for (const std::string& mark : context.marks)
    for (const TokenId token : context.tokenizer.encode(mark, {.parse_special = true})) {
      if (!context.tokenizer.is_control(token) || std::ranges::count(context.ends, token) > 0) continue;
      if (std::ranges::count(ids, token) > 0 || ids.size() == grammar::TokenTrie::kMaxControls) continue;
      controls.emplace_back(context.tokenizer.bytes_of(token));
      ids.push_back(token);
    }
  auto trie = grammar::TokenTrie::of(context.tokenizer, {context.ends.begin(), context.ends.end()}, std::move(ids));
  vocabulary_ = {std::move(trie), std::move(controls)};
  return *vocabulary_;
}

namespace {

// Where the grammar of an answer with calls begins: that of messages covers their headers, and reasoning, too.
AnswerBegin begin_of(const AnswerStart& start) {
  if (start.at == ReasoningFinder::At::reasoning) return AnswerBegin::reasoning;
  const bool is_content = start.format.channels && start.at == ReasoningFinder::At::content;
  return is_content ? AnswerBegin::content : AnswerBegin::message;
}

Result<std::optional<grammar::GrammarTree::Schema>> schema_of(const AnswerRules& rules) {
  using Schema = std::optional<grammar::GrammarTree::Schema>;
  if (!rules.content) return Schema();
  if (rules.content->kind != grammar::GrammarSource::Kind::json_schema)
    return fail(ErrorCode::unsupported, "next to tools, an answer can have the form of a JSON Schema only");
  return Schema({.text = rules.content->text, .options = rules.content->json});
}

// Calls that are not put in a grammar come as the model writes them.
Result<> check_unconstrained(const AnswerRules& rules) {
  constexpr std::string_view kFormat = "is not enforced in the way that this model's chat template writes calls";
  if (rules.calls->is_required) return fail(ErrorCode::unsupported, "tool_choice that asks for a call {}", kFormat);
  if (rules.content) return fail(ErrorCode::unsupported, "the form of an answer next to tools {}", kFormat);
  for (const CallableTool& tool : rules.calls->tools)
    if (tool.is_strict) return fail(ErrorCode::unsupported, "the function '{}': 'strict' {}", tool.name, kFormat);
  return {};
}

}  // namespace

Result<> AnswerGrammars::constrain(Request& request, const AnswerRules& rules, const AnswerContext& context) {
  if (rules.calls && !has_call_grammar(context.format)) return check_unconstrained(rules);
  if (request.ignore_eos)
    return fail(ErrorCode::usage, "ignore_eos and a grammar: an answer of this grammar ends, and nothing may follow");
  if (context.ends.empty())
    return fail(ErrorCode::unsupported, "the model has no token that ends an answer, which a grammar needs");
  const Vocabulary& words = vocabulary(context);
  grammar::GrammarSource source;
  if (rules.calls) {
    const auto content = OGAS_TRY(schema_of(rules));
    source = {.kind = grammar::GrammarSource::Kind::tree,
              .tree = OGAS_TRY(
                  make_call_grammar(context.format, words.controls, *rules.calls, content, begin_of(request.start)))};
    request.start.is_covered = context.format.channels || context.format.calls_end_reasoning;
  } else {
    source = *rules.content;
  }
  auto grammar = OGAS_TRY(cache_.get(source));
  request.make_mask = [grammar = std::move(grammar), trie = words.trie, &tokenizer = context.tokenizer,
                       worker = worker_] { return std::make_unique<GrammarMask>(grammar, trie, tokenizer, worker); };
  return {};
}

}  // namespace ogas
