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

AnswerStart start_of_answer(const Tokenizer& tokenizer, const OutputFormat& format, std::span<const TokenId> prompt) {
  using Phase = AnswerStart::Phase;
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
AnswerBegin begin_of(const OutputFormat& format, std::string_view end_of_prompt) {
  if (!format.channels) return ends_in_reasoning(format, end_of_prompt) ? AnswerBegin::reasoning : AnswerBegin::message;
  if (end_of_prompt.ends_with("<|channel|>analysis<|message|>")) return AnswerBegin::reasoning;
  return end_of_prompt.ends_with(ChannelMarks::kMessage) ? AnswerBegin::content : AnswerBegin::message;
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
  AnswerStart start = start_of_answer(context.tokenizer, context.format, request.prompt);
  grammar::GrammarSource source;
  if (rules.calls) {
    const AnswerBegin begin = begin_of(context.format, end_of_prompt(context.tokenizer, request.prompt));
    const auto content = OGAS_TRY(schema_of(rules));
    source = {.kind = grammar::GrammarSource::Kind::tree,
              .tree = OGAS_TRY(make_call_grammar(context.format, words.controls, *rules.calls, content, begin))};
    if (context.format.channels || context.format.calls_end_reasoning) start = {};
  } else {
    source = *rules.content;
  }
  auto grammar = OGAS_TRY(cache_.get(source));
  request.make_mask = [grammar = std::move(grammar), trie = words.trie, &tokenizer = context.tokenizer, start,
                       worker = worker_] {
    return std::make_unique<GrammarMask>(grammar, trie, tokenizer, start, worker);
  };
  return {};
}

}  // namespace ogas
