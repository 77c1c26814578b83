// Drafts change how many passes an answer takes, and nothing else.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/answer_grammars.h"
#include "engine/drafter.h"
#include "engine/model_test_tools.h"

namespace ogas {
namespace {

// Proposes the continuation of a known answer, with every third token wrong, and counts what was accepted.
class KnownAnswer final : public Drafter {
 public:
  struct Counts {
    size_t n_proposals = 0, n_accepted = 0;
  };
  KnownAnswer(size_t n_prompt, std::vector<TokenId> answer, Counts& counts)
      : n_prompt_(n_prompt), answer_(std::move(answer)), counts_(counts) {}

  std::span<const TokenId> propose(std::span<const TokenId> sequence, size_t n_max) override {
    drafts_.clear();
    for (size_t idx = sequence.size() - n_prompt_; idx < answer_.size() && drafts_.size() < std::min<size_t>(n_max, 4);
         ++idx)
      drafts_.push_back(idx % 3 == 2 ? answer_[idx] + 1 : answer_[idx]);
    counts_.n_proposals += drafts_.empty() ? 0 : 1;
    return drafts_;
  }
  void learn(size_t n_accepted) override {
    EXPECT_LE(n_accepted, drafts_.size());
    counts_.n_accepted += n_accepted;
  }

 private:
  size_t n_prompt_;
  std::vector<TokenId> answer_, drafts_;
  Counts& counts_;
};

class DrafterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_ = testing::load_default_model({.n_ctx = 256});
    ASSERT_TRUE(engine_);
    request_ = {.prompt = engine_->text().tokenizer()->encode("The best thing about the sea is"), .max_tokens = 40};
    request_.sampling.seed = 3;
  }

  void expect_same_answer() {
    const auto plain_session = engine_->new_session(), session = engine_->new_session();
    const auto plain = engine_->generate(*plain_session, request_);
    ASSERT_TRUE(plain) << plain.error().message;
    KnownAnswer::Counts counts;
    Request with_drafts = request_;
    with_drafts.make_drafter = [&] {
      return std::make_unique<KnownAnswer>(request_.prompt.size(), plain->tokens, counts);
    };
    const auto drafted = engine_->generate(*session, with_drafts);
    ASSERT_TRUE(drafted) << drafted.error().message;
    EXPECT_EQ(drafted->tokens, plain->tokens);
    EXPECT_EQ(drafted->text, plain->text);
    EXPECT_EQ(drafted->finish, plain->finish);
    EXPECT_EQ(session->tokens.size(), plain_session->tokens.size());
    EXPECT_GT(counts.n_accepted, plain->tokens.size() / 3);
    EXPECT_LT(counts.n_proposals, plain->tokens.size() * 2 / 3);
    // The cost of an answer is that of its rows: also of drafts that were rejected.
    EXPECT_GE(plain->stats.cost.n_rows + 1, plain->tokens.size() + request_.prompt.size());
    EXPECT_GT(drafted->stats.cost.n_rows, plain->stats.cost.n_rows);
    EXPECT_GT(drafted->stats.cost.seconds, 0);
  }

  std::unique_ptr<Engine> engine_;
  Request request_;
};

TEST_F(DrafterTest, GreedyAnswersAreTheSame) {
  request_.sampling.temperature = 0;
  expect_same_answer();
}

TEST_F(DrafterTest, DrawnAnswersAreTheSame) {
  request_.sampling.temperature = 0.9F;
  request_.sampling.repetition_penalty = 1.1F;
  expect_same_answer();
}

TEST_F(DrafterTest, AFullContextEndsTheAnswerAtTheSameToken) {
  engine_ = testing::load_default_model({.n_ctx = 32});
  ASSERT_TRUE(engine_);
  request_.max_tokens = 0;
  request_.ignore_eos = true;
  request_.sampling.temperature = 0;
  expect_same_answer();
}

// A mask that lets a token come once, so that an answer has no token twice.
class OnceEach final : public TokenMask {
 public:
  Result<> apply(std::span<float> logits) override {
    for (const TokenId id : seen_) logits[static_cast<size_t>(id)] = -INFINITY;
    return {};
  }
  void accept(TokenId id) override { seen_.push_back(id); }

 private:
  std::vector<TokenId> seen_;
};

TEST_F(DrafterTest, AMaskOfTheRequestHoldsWithDraftsToo) {
  request_.sampling.temperature = 0;
  request_.make_mask = [] { return std::make_unique<OnceEach>(); };
  expect_same_answer();
  const auto session = engine_->new_session();
  auto answer = engine_->generate(*session, request_);
  ASSERT_TRUE(answer);
  std::ranges::sort(answer->tokens);
  EXPECT_EQ(std::ranges::adjacent_find(answer->tokens), answer->tokens.end());
}

TEST_F(DrafterTest, LimitedReasoningIsTheSame) {
  request_.start = {.format = {.think_begin = "<think>", .think_end = "</think>"},
                    .at = ReasoningFinder::At::reasoning,
                    .end = "</think>"};
  for (const int budget : {0, 10}) {
    request_.thinking_budget = budget;
    expect_same_answer();
  }
}

TEST_F(DrafterTest, AnswersOfAGrammarAreTheSame) {
  request_.sampling.temperature = 0;
  request_.max_tokens = 100;
  const grammar::GrammarSource source{
      .text = R"({"type": "object", "required": ["name", "text"], "additionalProperties": false,
                  "properties": {"name": {"type": "string", "minLength": 20, "maxLength": 60},
                                 "text": {"type": "string", "minLength": 60, "maxLength": 90}}})",
      .json = {.keeps_order = true}};
  const auto done = engine_->text().constrain(request_, {.content = source});
  ASSERT_TRUE(done) << done.error().message;
  expect_same_answer();
}

}  // namespace
}  // namespace ogas
