// Answers that must match a grammar: by the default model, and the mask alone by its tokenizer.
#include "engine/grammar_mask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/answer_grammars.h"
#include "engine/answers_test_tools.h"
#include "engine/model_test_tools.h"

namespace ogas {
namespace {

using grammar::GrammarSource;

constexpr std::string_view kPerson = R"({
  "type": "object", "additionalProperties": false, "required": ["full_name_of_the_person", "year_of_birth", "works"],
  "properties": {
    "full_name_of_the_person": {"type": "string", "maxLength": 30},
    "year_of_birth": {"type": "integer", "minimum": 1000, "maximum": 2026},
    "works": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 3}}})";

class GrammarAnswers : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_ = testing::load_default_model({.n_ctx = 512});
    ASSERT_TRUE(engine_);
    request_ = {.prompt = engine_->text().tokenizer()->encode("Goethe, as JSON:"), .max_tokens = 200};
    request_.sampling = {.temperature = 0.8F, .seed = 3};
  }
  void constrain(const GrammarSource& source) {
    const auto done = engine_->text().constrain(request_, {.content = source});
    ASSERT_TRUE(done) << done.error().message;
  }
  Answer answer() { return testing::answer_alone(*engine_, request_); }

  std::unique_ptr<Engine> engine_;
  Request request_;
};

TEST_F(GrammarAnswers, SatisfyTheSchema) {
  constrain({.text = std::string(kPerson), .json = {.keeps_order = true}});
  for (const float temperature : {0.0F, 1.0F, 1.5F})
    for (const uint64_t seed : {1, 2, 3}) {
      request_.sampling.temperature = temperature;
      request_.sampling.seed = seed;
      const Answer given = answer();
      ASSERT_EQ(given.finish, FinishReason::stop) << given.text;
      const auto json = nlohmann::json::parse(given.text, nullptr, /*allow_exceptions=*/false);
      ASSERT_TRUE(json.is_object()) << given.text;
      EXPECT_EQ(json.size(), 3U);
      EXPECT_LE(json["full_name_of_the_person"].get<std::string>().size(), 4 * 30U);
      EXPECT_GE(json["year_of_birth"].get<int>(), 1000);
      EXPECT_LE(json["year_of_birth"].get<int>(), 2026);
      EXPECT_LE(json["works"].size(), 3U);
    }
}

TEST_F(GrammarAnswers, AreOneOfTheChoices) {
  const std::vector<std::string> choices = {"yes", "no", "yesterday"};
  constrain({.kind = GrammarSource::Kind::choice, .choices = choices});
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    request_.sampling.seed = seed;
    const Answer given = answer();
    EXPECT_TRUE(std::ranges::count(choices, given.text) > 0) << given.text;
    EXPECT_EQ(given.finish, FinishReason::stop);
  }
}

// Names of members need no pass of their own, and are the same tokens as with one: where log-probabilities are asked
// for, each token has a pass.
TEST_F(GrammarAnswers, ForcedTextTakesFewerSteps) {
  constrain({.text = std::string(kPerson), .json = {.has_spaces = false, .keeps_order = true}});
  const auto run = [&](bool wants_logprobs) {
    request_.sampling.report_logprob = wants_logprobs;
    Scheduler scheduler(*engine_);
    std::pair<Answer, size_t> result;
    EXPECT_TRUE(scheduler.submit(request_, [&](Result<Answer> given) { result.first = *std::move(given); }));
    while (scheduler.step()) ++result.second;
    return result;
  };
  const auto [with_passes, n_with] = run(true);
  const auto [answer, n_without] = run(false);
  EXPECT_EQ(answer.tokens, with_passes.tokens);
  EXPECT_GE(n_with, answer.tokens.size());
  EXPECT_LT(n_without + 8, n_with) << answer.text;
  // In the tokens that the tokenizer makes of it; its end may be a part of what follows.
  auto forced = engine_->text().tokenizer()->encode(R"({"full_name_of_the_person":")");
  forced.pop_back();
  ASSERT_GT(answer.tokens.size(), forced.size());
  EXPECT_EQ(std::vector(answer.tokens.begin(), answer.tokens.begin() + std::ssize(forced)), forced);
}

TEST_F(GrammarAnswers, DependOnNothingThatIsComputedWithThem) {
  constrain({.text = std::string(kPerson), .json = {.keeps_order = true}});
  const Answer alone = answer();
  Scheduler scheduler(*engine_);
  std::vector<Answer> together(3);
  for (size_t idx = 0; idx < together.size(); ++idx) {
    Request request = request_;
    if (idx == 1) request.make_mask = {};
    EXPECT_TRUE(scheduler.submit(request, [&, idx](Result<Answer> given) { together[idx] = *std::move(given); }));
  }
  while (scheduler.step()) {
  }
  EXPECT_EQ(together[0].tokens, alone.tokens);
  EXPECT_EQ(together[2].tokens, alone.tokens);
}

TEST_F(GrammarAnswers, ThatCannotGoOnEndWithAnError) {
  constrain({.kind = GrammarSource::Kind::choice, .choices = {"yes", "yet"}});
  const Tokenizer& tokenizer = *engine_->text().tokenizer();
  for (TokenId id = 0; static_cast<size_t>(id) < tokenizer.vocab().tokens.size(); ++id)
    if (tokenizer.bytes_of(id).starts_with('y')) request_.sampling.banned_tokens.push_back(id);
  const auto session = engine_->new_session();
  const auto failed = engine_->generate(*session, request_);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::unsupported);
}

TEST_F(GrammarAnswers, NeedAnEnd) {
  request_.ignore_eos = true;
  const auto done = engine_->text().constrain(request_, {.content = GrammarSource{.text = "true"}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::usage);
}

// At any time, also more than once, and where the mask ends while the worker computes.
TEST_F(GrammarAnswers, MasksComputedAheadAreTheSame) {
  const Tokenizer& tokenizer = *engine_->text().tokenizer();
  const auto ends = engine_->text().answer_ends().ids();
  const auto grammar = *grammar::compile_regex("\\{\\}");
  const auto trie = grammar::TokenTrie::of(tokenizer, {ends.begin(), ends.end()});
  const auto worker = std::make_shared<Worker>();
  const auto allowed = [&](GrammarMask& mask) {
    std::vector<float> logits(engine_->facts().n_vocab, 1);
    EXPECT_TRUE(mask.apply(logits));
    return logits;
  };
  GrammarMask plain(grammar, trie, tokenizer, worker), ahead(grammar, trie, tokenizer, worker);
  for (const char* text : {"{", "}"}) {
    ahead.prepare();
    ahead.prepare();
    EXPECT_EQ(allowed(plain), allowed(ahead));
    EXPECT_EQ(allowed(plain), allowed(ahead));
    ahead.prepare();
    EXPECT_EQ(plain.forced(), ahead.forced());
    plain.accept(tokenizer.encode(text).front());
    ahead.accept(tokenizer.encode(text).front());
  }
  ahead.prepare();
  EXPECT_EQ(allowed(plain), allowed(ahead));
  GrammarMask dropped(grammar, trie, tokenizer, worker);
  dropped.prepare();
}

}  // namespace
}  // namespace ogas
