// Log-likelihoods of texts, against logits read literally: for every architecture, for continuations that share a
// context, and for long texts in the windows of lm-evaluation-harness.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <random>
#include <thread>

#include "engine/embed.h"
#include "engine/engine_core.h"
#include "engine/logits_test_tools.h"
#include "engine/model_test_tools.h"
#include "engine/score.h"

namespace ogas {
namespace {

using ::testing::HasSubstr;
using testing::kArchitectures;
using testing::LogitMatrix;
using testing::logits_of;
using Tokens = std::vector<TokenId>;

std::unique_ptr<Engine> load(const std::string& name, EngineOptions options = {}) {
  options.n_threads = 2;
  auto engine = Engine::load(kArchitectures / name, options);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? *std::move(engine) : nullptr;
}

class TextMaker {
 public:
  explicit TextMaker(const Engine& engine) : n_vocab_(static_cast<TokenId>(engine.facts().n_vocab)) {}
  Tokens make(size_t n) {
    Tokens tokens(n);
    for (TokenId& token : tokens) token = std::uniform_int_distribution<TokenId>(0, n_vocab_ - 1)(random_);
    return tokens;
  }

 private:
  TokenId n_vocab_;
  std::mt19937 random_{5};
};

TokenId winner(std::span<const float> logits) {
  return static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
}

// What the last n tokens of a text are worth, literally.
Score literal_score(Engine& engine, const Tokens& text, size_t n) {
  const LogitMatrix logits = logits_of(engine, std::span(text).first(text.size() - 1));
  Score score;
  for (size_t at = text.size() - n; at < text.size(); ++at) {
    const auto row = logits.row(at - 1);
    score.tokens.push_back({testing::log_probability(row, text[at]), winner(row) == text[at]});
  }
  return score;
}

void expect_near(const Score& found, const Score& expected) {
  ASSERT_EQ(found.tokens.size(), expected.tokens.size());
  for (size_t idx = 0; idx < found.tokens.size(); ++idx) {
    EXPECT_NEAR(found.tokens[idx].logprob, expected.tokens[idx].logprob, 1e-10) << idx;
    EXPECT_EQ(found.tokens[idx].is_greedy, expected.tokens[idx].is_greedy) << idx;
  }
}

void expect_same_bits(const Score& found, const Score& expected) {
  ASSERT_EQ(found.tokens.size(), expected.tokens.size());
  for (size_t idx = 0; idx < found.tokens.size(); ++idx)
    EXPECT_EQ(found.tokens[idx].logprob, expected.tokens[idx].logprob) << idx;
}

class Scoring : public ::testing::TestWithParam<std::string> {};

TEST_P(Scoring, IsThatOfTheLogitsWhateverSharesTheContext) {
  const auto engine = load(GetParam());
  ASSERT_NE(engine, nullptr);
  TextMaker texts(*engine);
  const Tokens context = texts.make(70);
  std::vector<Tokens> continuations;
  for (const size_t n : {7U, 1U, 40U, 1U, 90U, 3U, 2U}) continuations.push_back(texts.make(n));
  // One that greedy decoding would give.
  continuations[3] = {winner(logits_of(*engine, context).row(context.size() - 1))};
  const auto found = score(*engine, context, continuations);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), continuations.size());
  EXPECT_TRUE((*found)[3].is_greedy());
  for (size_t idx = 0; idx < continuations.size(); ++idx) {
    SCOPED_TRACE(idx);
    Tokens whole = context;
    whole.insert(whole.end(), continuations[idx].begin(), continuations[idx].end());
    const Score expected = literal_score(*engine, whole, continuations[idx].size());
    expect_near((*found)[idx], expected);
    EXPECT_NEAR((*found)[idx].logprob(), expected.logprob(), 1e-9);
    EXPECT_EQ((*found)[idx].is_greedy(), expected.is_greedy());
    const auto alone = score(*engine, context, {&continuations[idx], 1});
    ASSERT_TRUE(alone) << alone.error().message;
    expect_same_bits(alone->front(), (*found)[idx]);
  }
  for (const uint32_t n_batch : {1U, 7U, 300U}) {
    const auto other = load(GetParam(), {.n_batch = n_batch});
    const auto scores = score(*other, context, continuations);
    ASSERT_TRUE(scores) << scores.error().message;
    for (size_t idx = 0; idx < continuations.size(); ++idx) expect_same_bits((*scores)[idx], (*found)[idx]);
  }
  EXPECT_EQ(engine->kv().bytes_used(), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, Scoring, ::testing::ValuesIn(testing::all_architectures()),
                         [](const auto& test) { return test.param; });

// lm_eval.utils.get_rolling_token_windows, of a text whose first token is the prefix.
Score rolling_score(Engine& engine, const Tokens& text, size_t max, size_t n_before) {
  const Tokens rest(text.begin() + 1, text.end());
  Score score;
  const auto add = [&](Tokens input, TokenId last, size_t n) {
    input.push_back(last);
    for (const TokenScore& token : literal_score(engine, input, n).tokens) score.tokens.push_back(token);
  };
  const size_t n_first = std::min(max, rest.size());
  add(Tokens(text.begin(), text.begin() + static_cast<long>(n_first)), rest[n_first - 1], n_first);
  for (size_t done = n_first; done < rest.size();) {
    const size_t n = std::min(rest.size() - done, max - n_before + 1), end = done + n;
    add(Tokens(rest.begin() + static_cast<long>(end - max - 1), rest.begin() + static_cast<long>(end - 1)),
        rest[end - 1], n);
    done = end;
  }
  return score;
}

TEST(ScoreText, CutsAsLmEvaluationHarnessDoes) {
  const auto engine = load("qwen3", {.n_ctx = 64});
  ASSERT_NE(engine, nullptr);
  TextMaker texts(*engine);
  for (const size_t n : {2U, 16U, 17U, 18U, 64U, 65U, 150U}) {
    const Tokens text = texts.make(n);
    for (const auto& [n_tokens, n_before] : {std::pair(16U, 1U), {16U, 5U}, {16U, 16U}, {0U, 1U}, {1U, 1U}}) {
      SCOPED_TRACE(fmt::format("{} tokens, windows of {}, {} before", n, n_tokens, n_before));
      const auto found = score_text(*engine, text, {.n_tokens = n_tokens, .n_before = n_before});
      ASSERT_TRUE(found) << found.error().message;
      expect_near(*found, rolling_score(*engine, text, n_tokens > 0 ? n_tokens : 64, n_before));
    }
  }
}

TEST(ScoreText, HasAPerplexity) {
  const Score score{{{-1.5, true}, {-0.5, false}}};
  EXPECT_EQ(score.logprob(), -2);
  EXPECT_FALSE(score.is_greedy());
  EXPECT_DOUBLE_EQ(score.perplexity(), std::exp(1));
}

TEST(ScoreErrors, SayWhatDoesNotFit) {
  const auto engine = load("llama", {.n_ctx = 64});
  ASSERT_NE(engine, nullptr);
  TextMaker texts(*engine);
  const auto error = [&](const Tokens& context, const std::vector<Tokens>& continuations) {
    const auto scores = score(*engine, context, continuations);
    EXPECT_FALSE(scores);
    return scores ? "" : scores.error().message;
  };
  EXPECT_TRUE(score(*engine, texts.make(60), std::vector<Tokens>{texts.make(5)}));  // whose last token is not computed
  EXPECT_THAT(error(texts.make(60), {{1}, texts.make(8)}),
              HasSubstr("60 tokens and 8 of continuation 2 take 67 positions, 3 more than the context of 64"));
  EXPECT_THAT(error(texts.make(60), {texts.make(6)}), HasSubstr("65 positions, 1 more"));
  EXPECT_THAT(error(texts.make(66), {{1}}), HasSubstr("66 tokens, 2 more than the context of 64"));
  EXPECT_THAT(error({}, {{1}}), HasSubstr("the text before the continuations is empty"));
  EXPECT_THAT(error({1}, {{1}, {}}), HasSubstr("continuation 2 is empty"));
  EXPECT_THAT(error({1}, {{1}, {2, 144}}), HasSubstr("token 144 at position 1"));
  EXPECT_THAT(score_text(*engine, texts.make(1)).error().message, HasSubstr("a token after the first"));
  EXPECT_THAT(score_text(*engine, Tokens{1, -1}).error().message, HasSubstr("token -1 at position 1"));
  EXPECT_THAT(score_text(*engine, texts.make(9), {.n_tokens = 65}).error().message,
              HasSubstr("1 more than the context"));
  EXPECT_THAT(score_text(*engine, texts.make(9), {.n_tokens = 8, .n_before = 9}).error().message,
              HasSubstr("between 1"));
  EXPECT_TRUE(score(*engine, Tokens{1}, {})->empty());
}

// Two pages hold the context, and each continuation writes into a copy of the second.
TEST(ScorePages, AreThoseOfOneContinuationAtATime) {
  const Tokens context = TextMaker(*load("llama")).make(100);
  const auto plenty = load("llama", {.n_ctx = 128});
  std::vector<Tokens> continuations(5, TextMaker(*plenty).make(29));
  for (size_t idx = 0; idx < 5; ++idx) continuations[idx][0] = static_cast<TokenId>(idx);
  const auto expected = score(*plenty, context, continuations);
  ASSERT_TRUE(expected);
  KvLayout layout = plenty->facts().kv;
  ASSERT_TRUE(layout.set_format(Format::f16));
  const uint64_t page = layout.page_bytes();
  const auto scarce = load("llama", {.n_ctx = 128, .kv_budget = 3 * page});
  const auto found = score(*scarce, context, continuations);
  ASSERT_TRUE(found) << found.error().message;
  for (size_t idx = 0; idx < 5; ++idx) expect_same_bits((*found)[idx], (*expected)[idx]);
  const auto too_scarce = load("llama", {.n_ctx = 128, .kv_budget = 2 * page});
  EXPECT_TRUE(score(*too_scarce, context, {&continuations[0], 1}));
  EXPECT_EQ(score(*too_scarce, context, continuations).error().code, ErrorCode::out_of_memory);
  EXPECT_EQ(too_scarce->kv().bytes_used(), 0U);
}

// From another thread, after the pass that is running; the next call knows nothing of it.
TEST(ScoreCancel, EndsBetweenTwoPasses) {
  const auto engine = load("llama", {.n_ctx = 512, .n_batch = 4});
  ASSERT_NE(engine, nullptr);
  const Tokens text = TextMaker(*engine).make(500);
  const std::vector<Tokens> continuations = {{1}, {2}};
  const auto expected = score_text(*engine, text);
  ASSERT_TRUE(expected);
  std::optional<Error> of_text, of_choices, of_vectors;
  const auto keep = [](const auto& result, std::optional<Error>& error) {
    if (!result) error = result.error();
  };
  {
    const std::jthread other([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) engine->cancel();
    });
    for (int n = 0; n < 50 && !(of_text && of_choices && of_vectors); ++n) {
      keep(score_text(*engine, text), of_text);
      keep(score(*engine, text, continuations), of_choices);
      keep(embed(*engine, std::vector<Tokens>{text}), of_vectors);
    }
  }
  for (const auto& error : {of_text, of_choices, of_vectors}) {
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, ErrorCode::cancelled) << error->message;
  }
  EXPECT_EQ(engine->kv().bytes_used(), 0U);
  const auto again = score_text(*engine, text);
  ASSERT_TRUE(again) << again.error().message;
  expect_same_bits(*again, *expected);
}

TEST(ScoreCancel, MayComeBeforeTheCall) {
  const auto engine = load("llama");
  ASSERT_NE(engine, nullptr);
  const Tokens text = TextMaker(*engine).make(9);
  std::stop_source source;
  EXPECT_TRUE(score_text(*engine, text, {}, source.get_token()));
  source.request_stop();
  EXPECT_EQ(score_text(*engine, text, {}, source.get_token()).error().code, ErrorCode::cancelled);
  EXPECT_EQ(score(*engine, text, {&text, 1}, source.get_token()).error().code, ErrorCode::cancelled);
  EXPECT_EQ(embed(*engine, {&text, 1}, {}, source.get_token()).error().code, ErrorCode::cancelled);
  engine->cancel();  // means what runs, and nothing does
  EXPECT_TRUE(score_text(*engine, text));
}

class Choices : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = testing::load_default_model({.n_ctx = 512, .n_threads = 2}); }
  static void TearDownTestSuite() { engine_.reset(); }
  void SetUp() override { ASSERT_NE(engine_, nullptr); }
  static const Tokenizer& tokenizer() { return *engine_->text().tokenizer(); }

  static std::unique_ptr<Engine> engine_;
};
std::unique_ptr<Engine> Choices::engine_;

TEST_F(Choices, AreTheTokensOfTheWholeText) {
  const std::vector<std::string> answers = {"Paris", "London, of course"};
  const auto spaced = encode_choices(tokenizer(), "The capital of France is ", answers).value();
  EXPECT_EQ(spaced.context, tokenizer().encode("The capital of France is"));
  EXPECT_EQ(spaced.continuations[0], tokenizer().encode(" Paris"));
  EXPECT_EQ(spaced.continuations[1], tokenizer().encode(" London, of course"));
  // A token across the border.
  const std::vector<std::string> rest = {"nce is"};
  const auto cut = encode_choices(tokenizer(), "The capital of Fra", rest).value();
  EXPECT_EQ(tokenizer().decode(cut.context) + tokenizer().decode(cut.continuations[0]), "The capital of France is");
  EXPECT_FALSE(cut.continuations[0].empty());
  const auto none = encode_choices(tokenizer(), "", answers).value();
  EXPECT_EQ(none.context, Tokens{*tokenizer().vocab().bos});
  EXPECT_EQ(none.continuations[0], tokenizer().encode("Paris"));
  const auto special = encode_choices(tokenizer(), "a", std::vector<std::string>{"<|im_end|>"}, true).value();
  EXPECT_EQ(special.continuations[0].size(), 1U);
}

TEST_F(Choices, TheRightAnswerIsLikelier) {
  const std::vector<std::string> answers = {" Paris", " London", " a banana"};
  const auto choices = encode_choices(tokenizer(), "The capital of France is", answers).value();
  const auto scores = score(*engine_, choices.context, choices.continuations).value();
  EXPECT_TRUE(scores[0].is_greedy());
  EXPECT_GT(scores[0].logprob(), scores[1].logprob() + 1);
  EXPECT_GT(scores[1].logprob(), scores[2].logprob() + 1);
}

}  // namespace
}  // namespace ogas
