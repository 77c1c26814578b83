// Reasoning that is limited, and content that is constrained after it: by the default model, and the mask alone by its
// tokenizer. It has no marks of its own, so that these are letters to it.
#include "engine/reasoning_mask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/answer_grammars.h"
#include "engine/answers_test_tools.h"
#include "engine/grammar_mask.h"
#include "engine/model_test_tools.h"

namespace ogas {
namespace {

using At = ReasoningFinder::At;
using grammar::GrammarSource;

constexpr int kNoLimit = -1;

OutputFormat marked(std::string begin, std::string end) {
  return {.think_begin = std::move(begin), .think_end = std::move(end)};
}

class MaskOfReasoning : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_ = testing::load_default_model();
    ASSERT_TRUE(engine_);
    const auto ends = engine_->text().answer_ends().ids();
    ends_.assign(ends.begin(), ends.end());
  }
  const Tokenizer& tokenizer() { return *engine_->text().tokenizer(); }
  // Whose content is "{}".
  ReasoningMask mask(AnswerStart start, int budget = kNoLimit) {
    auto content =
        std::make_unique<GrammarMask>(*grammar::compile_regex("\\{\\}"), grammar::TokenTrie::of(tokenizer(), ends_),
                                      tokenizer(), std::make_shared<Worker>());
    return {tokenizer(), ends_, std::move(start), budget, std::move(content)};
  }
  // Whose content is free.
  ReasoningMask limit(AnswerStart start, int budget) { return {tokenizer(), ends_, std::move(start), budget, nullptr}; }
  bool allows(ReasoningMask& mask, TokenId id) {
    std::vector<float> logits(engine_->facts().n_vocab, 1);
    const auto done = mask.apply(logits);
    EXPECT_TRUE(done) << done.error().message;
    return logits[static_cast<size_t>(id)] == 1;
  }
  bool allows(ReasoningMask& mask, std::string_view token) {
    EXPECT_EQ(tokenizer().bytes_of(one(token)), token);
    return allows(mask, one(token));
  }
  TokenId one(std::string_view text) { return tokenizer().encode(text).front(); }
  void accept_all(ReasoningMask& mask, std::string_view text) {
    for (const TokenId id : tokenizer().encode(text)) mask.accept(id);
  }
  std::string take_forced(ReasoningMask& mask) {
    const auto tokens = mask.forced();
    for (const TokenId id : tokens) mask.accept(id);
    return tokenizer().decode(tokens);
  }

  std::unique_ptr<Engine> engine_;
  std::vector<TokenId> ends_;
};

TEST_F(MaskOfReasoning, ThinkingIsFreeAndHasNoEndBeforeItsMark) {
  ReasoningMask open = mask({.format = marked("<think>", "</think>"), .at = At::reasoning});
  EXPECT_TRUE(allows(open, "Hello"));
  EXPECT_FALSE(allows(open, ends_.front()));
  EXPECT_TRUE(open.forced().empty());
  accept_all(open, "I think </thin");
  EXPECT_TRUE(allows(open, "Hello"));
  accept_all(open, "k>");
  EXPECT_FALSE(allows(open, "Hello"));
  EXPECT_TRUE(allows(open, "{"));
}

TEST_F(MaskOfReasoning, WhiteSpaceAfterTheMarkIsNotContent) {
  const TokenId line = one("\n");
  for (const bool has_line : {false, true}) {
    ReasoningMask open = mask({.format = marked("<", "."), .at = At::reasoning, .gap = {line}});
    open.accept(one("so"));
    EXPECT_TRUE(allows(open, line));
    open.accept(one("."));
    EXPECT_TRUE(allows(open, line));
    EXPECT_TRUE(allows(open, "{"));
    EXPECT_TRUE(open.forced().empty());
    if (has_line) open.accept(line);
    open.accept(one("{"));
    EXPECT_FALSE(allows(open, line));
    EXPECT_TRUE(allows(open, "}"));
  }
  // In the same token as the mark.
  const TokenId lines = one("\n\n");
  ASSERT_EQ(tokenizer().bytes_of(lines), "\n\n");
  ReasoningMask open = mask({.format = marked("<", "\n"), .at = At::reasoning});
  open.accept(lines);
  EXPECT_TRUE(allows(open, "{"));
  EXPECT_FALSE(allows(open, line));
}

TEST_F(MaskOfReasoning, ATokenThatIsNotTheContentsIsAnError) {
  ReasoningMask open = mask({.format = marked("<", "He"), .at = At::reasoning});
  open.accept(one("Hello"));
  std::vector<float> logits(engine_->facts().n_vocab, 1);
  EXPECT_FALSE(open.apply(logits));
}

TEST_F(MaskOfReasoning, AnswersMayBeginWithIt) {
  const TokenId begin = one(" begin");  // stands for <think>
  const AnswerStart start{.format = marked("begin", ">"), .at = At::open, .begin = begin};
  ASSERT_EQ(tokenizer().bytes_of(begin), " begin");
  for (const bool thinks : {false, true}) {
    ReasoningMask open = mask(start);
    EXPECT_TRUE(allows(open, begin));
    EXPECT_TRUE(allows(open, "{"));
    EXPECT_FALSE(allows(open, "Hello"));
    open.accept(thinks ? begin : one("{"));
    EXPECT_EQ(allows(open, "Hello"), thinks);
    accept_all(open, thinks ? "so>{" : "");
    EXPECT_FALSE(allows(open, "Hello"));
    EXPECT_TRUE(allows(open, "}"));
  }
  ReasoningMask closed = mask(start, 0);
  EXPECT_FALSE(allows(closed, begin));
  EXPECT_TRUE(allows(closed, "{"));
}

// As many new lines come before the mark as the template puts there.
TEST_F(MaskOfReasoning, ABudgetEndsIt) {
  const AnswerStart start{.format = marked("<think>", "</think>"), .at = At::reasoning, .end = "\n</think>\n\n"};
  for (const auto& [thought, end] :
       {std::pair("so", "\n</think>\n\n"), std::pair("\n", "</think>\n\n"), std::pair("", "\n</think>\n\n")}) {
    const auto tokens = tokenizer().encode(thought);
    const int budget = static_cast<int>(tokens.size());
    ReasoningMask constrained = mask(start, budget), free = limit(start, budget);
    for (ReasoningMask* one : {&constrained, &free}) {
      for (const TokenId id : tokens) {
        EXPECT_TRUE(one->forced().empty());
        one->accept(id);
      }
      EXPECT_EQ(take_forced(*one), end);
    }
    EXPECT_TRUE(allows(constrained, "{"));
    EXPECT_FALSE(allows(constrained, "Hello"));
    EXPECT_TRUE(allows(free, "Hello"));
    EXPECT_TRUE(free.forced().empty());
  }
}

TEST_F(MaskOfReasoning, OneThatIsUsedUpLetsNoneBegin) {
  const AnswerStart start{.format = marked("<think>", "</think>"), .at = At::open, .end = "</think>"};
  ReasoningMask none = limit(start, 0), some = limit(start, 2);
  for (ReasoningMask* one : {&none, &some}) accept_all(*one, "\n<think");
  EXPECT_FALSE(allows(none, ">"));
  EXPECT_TRUE(allows(some, ">"));
  accept_all(some, ">");
  accept_all(some, "so so");
  EXPECT_EQ(take_forced(some), "</think>");
  accept_all(some, "\n<think");
  EXPECT_FALSE(allows(some, ">"));
  accept_all(none, "a <think");  // in the middle of content it is text
  EXPECT_TRUE(allows(none, ">"));
}

TEST_F(MaskOfReasoning, ABudgetLeavesNoCharacterUnfinished) {
  const AnswerStart start{.format = marked("<think>", "</think>"), .at = At::reasoning, .end = "</think>"};
  const auto tokens = tokenizer().encode("\U0001F9A5");
  ASSERT_EQ(tokens.size(), 3U);
  for (const int budget : {1, 2, 3}) {
    ReasoningMask one = limit(start, budget);
    EXPECT_EQ(allows(one, tokens[0]), budget == 3);
    EXPECT_TRUE(allows(one, "Hello"));
  }
  ReasoningMask whole = limit(start, 3);
  for (const TokenId id : tokens) {
    EXPECT_TRUE(allows(whole, id));
    whole.accept(id);
  }
  EXPECT_EQ(take_forced(whole), "</think>");
}

class MaskOfChannels : public MaskOfReasoning {
 protected:
  static constexpr const char* kFinal = "<|channel|>final<|message|>";
  AnswerStart start(At at) {
    return {.format = {.channels = true}, .at = at, .end = std::string("<|end|><|start|>assistant") + kFinal};
  }
};

TEST_F(MaskOfChannels, ABudgetLeadsToTheLastMessage) {
  ReasoningMask free = limit(start(At::header), 1), constrained = mask(start(At::header), 1);
  for (ReasoningMask* one : {&free, &constrained}) {
    accept_all(*one, "<|channel|>analysis<|message|>");
    EXPECT_TRUE(one->forced().empty());
    accept_all(*one, "so");
    EXPECT_EQ(take_forced(*one), std::string("<|end|><|start|>assistant") + kFinal);
  }
  EXPECT_TRUE(allows(free, "Hello"));
  EXPECT_FALSE(allows(constrained, "Hello"));
  EXPECT_TRUE(allows(constrained, "{"));
}

TEST_F(MaskOfChannels, WithoutABudgetThereIsOnlyTheLastMessage) {
  ReasoningMask none = limit(start(At::header), 0);
  EXPECT_EQ(take_forced(none), kFinal);
  accept_all(none, "Hello<|end|>");
  EXPECT_TRUE(none.forced().empty());
  accept_all(none, "<|start|>");
  EXPECT_EQ(take_forced(none), std::string("assistant") + kFinal);
}

TEST_F(MaskOfChannels, ACallMayComeInsteadOfTheLastMessage) {
  AnswerStart calls = start(At::reasoning);
  calls.may_call = true;
  ReasoningMask none = limit(calls, 0);
  EXPECT_EQ(take_forced(none), "<|end|><|start|>assistant");
  EXPECT_TRUE(none.forced().empty());
  accept_all(none, "<|channel|>");
  EXPECT_FALSE(allows(none, "an"));
  EXPECT_TRUE(allows(none, "final"));
  EXPECT_TRUE(allows(none, "comment"));
}

// As that of calls of tools does.
TEST_F(MaskOfChannels, AMaskThatCoversReasoningHoldsInItToo) {
  AnswerStart covered = start(At::reasoning);
  covered.may_call = covered.is_covered = true;
  const auto grammar = grammar::compile_regex(R"(so<\|end\|><\|start\|>assistant<\|channel\|>(analysis|final)!)");
  ASSERT_TRUE(grammar) << grammar.error().message;
  ReasoningMask mask(tokenizer(), ends_, covered, 1,
                     std::make_unique<GrammarMask>(*grammar, grammar::TokenTrie::of(tokenizer(), ends_), tokenizer(),
                                                   std::make_shared<Worker>()));
  EXPECT_FALSE(allows(mask, "Hello"));
  EXPECT_TRUE(allows(mask, "so"));
  mask.accept(one("so"));
  EXPECT_EQ(take_forced(mask), "<|end|><|start|>assistant");
  accept_all(mask, "<|channel|>");
  EXPECT_FALSE(allows(mask, "an"));
  EXPECT_TRUE(allows(mask, "final"));
}

class ThinkingBudget : public MaskOfReasoning {
 protected:
  void SetUp() override {
    MaskOfReasoning::SetUp();
    request_ = {.prompt = tokenizer().encode("Goethe was born in"), .max_tokens = 40};
    request_.start = {.format = marked("<think>", "</think>"), .at = At::reasoning, .end = "\n</think>\n\n"};
    request_.sampling = {.temperature = 0.8F, .seed = 3};
  }
  Answer answer() { return testing::answer_alone(*engine_, request_); }

  Request request_;
};

TEST_F(ThinkingBudget, IsWhatTheModelThinks) {
  const Answer free = answer();
  for (const int budget : {0, 1, 7}) {
    request_.thinking_budget = budget;
    const Answer limited = answer();
    std::vector<TokenId> begun(free.tokens.begin(), free.tokens.begin() + budget);
    EXPECT_EQ(std::ranges::mismatch(begun, limited.tokens).in1, begun.end()) << limited.text;
    const std::string thought = tokenizer().decode(begun);
    EXPECT_TRUE(limited.text.starts_with(thought + "\n</think>\n\n") ||
                limited.text.starts_with(thought + "</think>\n\n"))
        << limited.text;
    EXPECT_EQ(limited.text.find("</think>"), limited.text.rfind("</think>"));
  }
}

TEST_F(ThinkingBudget, GoesWithAForm) {
  request_.thinking_budget = 5;
  ASSERT_TRUE(engine_->text().constrain(request_, {.content = GrammarSource::regex("[0-9]{4}")}));
  const Answer limited = answer();
  EXPECT_EQ(limited.finish, FinishReason::stop);
  const std::string content = limited.text.substr(limited.text.find("</think>\n\n") + 10);
  EXPECT_EQ(content.size(), 4U) << limited.text;
  EXPECT_TRUE(std::ranges::all_of(content, [](char c) { return c >= '0' && c <= '9'; })) << limited.text;
}

// Neither on what else is computed, nor on whether forced tokens have passes of their own. (Drafts: drafter_test.cc.)
TEST_F(ThinkingBudget, DependsOnNothingThatIsComputedWithIt) {
  request_.thinking_budget = 6;
  const Answer alone = answer();
  Request with_logprobs = request_, free = request_;
  with_logprobs.sampling.report_logprob = true;
  free.thinking_budget = kNoLimit;
  Scheduler scheduler(*engine_);
  const Request requests[] = {request_, with_logprobs, free};
  std::vector<Answer> together(std::size(requests));
  for (size_t idx = 0; idx < together.size(); ++idx)
    EXPECT_TRUE(scheduler.submit(requests[idx], [&, idx](Result<Answer> given) { together[idx] = *std::move(given); }));
  while (scheduler.step()) {
  }
  for (size_t idx = 0; idx < 2; ++idx) EXPECT_EQ(together[idx].tokens, alone.tokens) << idx;
  EXPECT_EQ(together[1].logprobs.size(), alone.tokens.size());
  EXPECT_NE(together[2].tokens, alone.tokens);
}

TEST_F(ThinkingBudget, NeedsMarks) {
  request_.thinking_budget = 0;
  request_.start = {};
  const auto session = engine_->new_session();
  const auto failed = engine_->generate(*session, request_);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::usage);
  EXPECT_TRUE(failed.error().message.contains("no marks of reasoning"));
}

// Stop strings of an answer that is split count after its reasoning.
TEST_F(ThinkingBudget, StopStringsAreNotLookedForInReasoning) {
  request_.thinking_budget = 8;
  const Answer whole = answer();
  const size_t content = whole.text.find("</think>\n\n") + 10;
  ASSERT_LT(content + 4, whole.text.size());
  // Within the reasoning, across its end, in the new lines after it, and in the content.
  const std::string in_content = whole.text.substr(content + 2, 2);
  request_.is_split = true;
  for (const std::string& stop :
       {whole.text.substr(2, 4), std::string("</think>"), whole.text.substr(content - 3, 4)}) {
    request_.stop = {stop};
    const size_t found = whole.text.find(stop, content);
    EXPECT_EQ(answer().text, whole.text.substr(0, found)) << stop;
  }
  request_.stop = {in_content};
  const Answer cut = answer();
  EXPECT_EQ(cut.finish, FinishReason::stop_text);
  EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(in_content, content)));
  request_.is_split = false;
  request_.stop = {whole.text.substr(2, 4)};
  EXPECT_EQ(answer().text, whole.text.substr(0, 2));
}

}  // namespace
}  // namespace ogas
