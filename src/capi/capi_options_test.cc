// What callers of the C API may ask of the choice of tokens, and of where a model's experts lie.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>

#include "base/file.h"
#include "capi/capi_test_tools.h"
#include "capi/engine.h"
#include "capi/handles.h"
#include "capi/request.h"
#include "capi/stats.h"
#include "engine/answer_figures.h"
#include "engine/engine_settings.h"
#include "engine/request_settings.h"

namespace ogas::capi {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

// A session that answers one prompt again and again.
struct Asker {
  Asker(const EnginePtr& engine, Tokens tokens) : session(new_session(engine)), prompt(std::move(tokens)) {}

  ogas_status ask(const ogas_generate_options& options) const {
    return ogas_generate(session.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr);
  }
  Tokens answer(const ogas_generate_options& options) const {
    EXPECT_EQ(ask(options), OGAS_OK) << ogas_last_error();
    return tokens_of(session);
  }
  void refuses(const ogas_generate_options& options, const char* text) const {
    EXPECT_EQ(ask(options), OGAS_ERROR_USAGE);
    EXPECT_THAT(ogas_last_error(), HasSubstr(text));
  }
  ogas_logprob logprob(size_t token_idx, size_t rank) const {
    ogas_logprob found{};
    EXPECT_EQ(ogas_session_logprob(session.get(), token_idx, rank, &found, sizeof(found)), OGAS_OK)
        << ogas_last_error();
    return found;
  }

  SessionPtr session;
  Tokens prompt;
};

TEST_F(CApi, AnswersKeepToAForm) {
  const Asker asker(engine_, tokenize(engine_, "The capital of France is"));
  ogas_generate_options options = greedy(engine_, 60);
  const auto text = [&] {
    asker.answer(options);
    size_t n_bytes = 0;
    const char* found = ogas_session_text(asker.session.get(), &n_bytes);
    return std::string(found, n_bytes);
  };
  options.json_schema = R"({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}},
                            "required": ["n"], "additionalProperties": false})";
  EXPECT_THAT(text(), ::testing::MatchesRegex("\\{[ \n]*\"n\": ?[1-9][ \n]*\\}"));
  options.regex = "[a-c]{3}";
  asker.refuses(options, "one of them may be");
  options.json_schema = nullptr;
  EXPECT_THAT(text(), ::testing::MatchesRegex("[a-c][a-c][a-c]"));
  options.regex = nullptr;
  options.grammar = R"(root ::= "yes" | "no")";
  EXPECT_THAT(text(), ::testing::AnyOf("yes", "no"));
  options.grammar = nullptr;
  const char* const choices[] = {"Rome", "Oslo"};
  options.choices = choices;
  options.n_choices = 2;
  EXPECT_THAT(text(), ::testing::AnyOf("Rome", "Oslo"));
  options.choices = nullptr;
  options.n_choices = 0;
  options.regex = "(a";
  EXPECT_EQ(asker.ask(options), OGAS_ERROR_BAD_FILE);
  EXPECT_THAT(ogas_last_error(), HasSubstr("never closed"));
}

TEST_F(CApi, CallsKeepToTheirTools) {
  const Asker asker(engine_, tokenize(engine_, "How is the weather?"));
  ogas_generate_options options = greedy(engine_, 100);
  options.ignore_eos = 0;
  options.splits_reply = 1;
  options.tools =
      R"([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties":
      {"days": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["days"]}}},
      {"type": "function", "function": {"name": "ring"}}])";
  options.tool_choice = "weather";
  options.max_tool_calls = 1;
  ASSERT_EQ(asker.ask(options), OGAS_OK) << ogas_last_error();
  ASSERT_EQ(ogas_session_n_tool_calls(asker.session.get()), 1u);
  ogas_tool_call call{};
  ASSERT_EQ(ogas_session_tool_call(asker.session.get(), 0, &call, sizeof call), OGAS_OK);
  EXPECT_STREQ(call.name, "weather");
  EXPECT_THAT(call.arguments, ::testing::MatchesRegex("\\{[ \n\t]*\"days\": ?[1-9][ \n\t]*\\}"));
  options.tool_choice = "storm";
  asker.refuses(options, "'storm', which is none of the tools");
  options.tools = nullptr;
  asker.refuses(options, "there are no tools");
}

TEST_F(CApi, TokensCanBeBannedRequiredAndBiased) {
  const Asker asker(engine_, tokenize(engine_, "The capital of France is"));
  const ogas_generate_options plain = greedy(engine_, 4);
  const Tokens usual = asker.answer(plain);
  const int32_t other = tokenize(engine_, " green").front();

  ogas_generate_options options = plain;
  options.banned_tokens = usual.data();
  options.n_banned_tokens = usual.size();
  for (const int32_t token : usual) EXPECT_THAT(asker.answer(options), Each(Not(token)));
  const int32_t two[] = {other, usual[0]};
  options = plain;
  options.required_tokens = two;
  options.n_required_tokens = 2;
  EXPECT_THAT(asker.answer(options), Each(::testing::AnyOf(other, usual[0])));
  EXPECT_EQ(asker.answer(options).front(), usual[0]);
  options.banned_tokens = two;
  options.n_banned_tokens = 1;
  EXPECT_THAT(asker.answer(options), Each(usual[0]));
  options.n_banned_tokens = 2;
  asker.refuses(options, "banned_tokens leaves none of the 2 required_tokens");

  ogas_logit_bias bias[] = {{other, 100}, {other, -100}};
  options = plain;
  options.logit_bias = bias;
  options.n_logit_bias = 1;
  EXPECT_THAT(asker.answer(options), Each(other));
  options.n_logit_bias = 2;
  EXPECT_EQ(asker.answer(options), usual) << "they add up";
  for (const float wrong : {101.0F, -101.0F, std::numeric_limits<float>::quiet_NaN()}) {
    bias[0].bias = wrong;
    asker.refuses(options, "logit_bias of token");
  }
  bias[0] = {49152, 0};
  asker.refuses(options, "logit_bias names token 49152");
  options.logit_bias = nullptr;
  asker.refuses(options, "logit_bias is NULL");
  options = plain;
  options.n_banned_tokens = 1;
  asker.refuses(options, "banned_tokens is NULL");
  options = plain;
  options.n_required_tokens = 1;
  asker.refuses(options, "required_tokens is NULL");
}

// The text of a struct of the header.
std::string fields_of(const std::string& name) {
  const std::string header = read_file("include/ogas/ogas.h", size_t{1} << 20).value();
  const size_t begin = header.find("typedef struct " + name), end = header.find("} " + name);
  return header.substr(begin, end - begin);
}

// Each option of sampling is a field of the header, and each number comes through.
TEST_F(CApi, HasAllSettingsOfSampling) {
  const std::string fields = fields_of("ogas_generate_options");
  for (const SamplingSetting& setting : sampling_settings()) {
    const std::string name(setting.name);
    EXPECT_THAT(fields, ::testing::ContainsRegex("[ *]" + name + ";")) << name;
    const std::string former(setting.c_alias.empty() ? setting.name : setting.c_alias);
    EXPECT_THAT(fields, ::testing::ContainsRegex("[ *]" + former + ";")) << name;
    if (setting.is_list()) continue;
    const auto found = std::ranges::find(sampling_fields(), setting.name, &SamplingField::name);
    ASSERT_NE(found, sampling_fields().end()) << name;
    const auto usual = recommended_options(*engine_->loaded->engine);
    ogas_generate_options changed = usual;
    std::visit([&](auto field) { changed.*field = static_cast<std::remove_reference_t<decltype(changed.*field)>>(2); },
               found->field);
    const auto shown = [&](const ogas_generate_options& options) {
      return setting.show(make_request(*engine_->loaded->engine, options)->sampling);
    };
    EXPECT_EQ(shown(changed), "2") << name;
  }
}

// Each option of a request is a field of the header, also by its former name, and each value comes through.
TEST_F(CApi, HasAllSettingsOfRequests) {
  const std::string fields = fields_of("ogas_generate_options");
  const Engine& engine = *engine_->loaded->engine;
  for (const RequestSetting& setting : request_settings()) {
    const std::string name(setting.name), former(setting.c_alias.empty() ? setting.name : setting.c_alias);
    EXPECT_THAT(fields, ::testing::ContainsRegex("[ *]" + name + ";"));
    EXPECT_THAT(fields, ::testing::ContainsRegex("[ *]" + former + ";")) << name;
    if (setting.is_list()) continue;
    const auto found = std::ranges::find(request_fields(), setting.name, &RequestField::name);
    ASSERT_NE(found, request_fields().end()) << name;
    Request expected;
    ASSERT_TRUE(setting.set(expected, setting.is_flag() ? "true" : "7")) << name;
    auto options = recommended_options(engine);
    std::visit(
        [&](auto field) {
          if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(options.*field)>>)
            options.*field = "7";
          else
            options.*field = 7;
        },
        found->field);
    const Request usual = make_request(engine, read_options(engine, nullptr).value()).value(),
                  made = make_request(engine, options).value();
    std::visit(
        [&](auto member) {
          EXPECT_EQ(usual.*member, Request{}.*member) << name << " that is not set";
          EXPECT_EQ(made.*member, expected.*member) << name;
        },
        setting.member);
  }
  auto options = recommended_options(engine);
  options.n_keep = SIZE_MAX;
  EXPECT_EQ(make_request(engine, options)->n_keep, UINT32_MAX);
}

TEST_F(CApi, ABudgetOfReasoning) {
  const Engine& engine = *engine_->loaded->engine;
  auto options = recommended_options(engine);
  for (const auto& [given, taken] : {std::pair(0, -1), {-1, -1}, {OGAS_NO_THINKING, 0}, {7, 7}}) {
    options.thinking_budget = given;
    EXPECT_EQ(make_request(engine, options)->thinking_budget, taken);
  }
  options.thinking_budget = -2;
  EXPECT_THAT(make_request(engine, options).error().message, HasSubstr("thinking_budget is -2"));
  // The default model has no marks of reasoning.
  options.thinking_budget = 7;
  options.size = sizeof(options);
  Asker(engine_, tokenize(engine_, "The capital of France is")).refuses(options, "no marks of reasoning");
}

// Each option of an engine is a field of the header, also by its former name, and each comes through.
TEST(CApiEngineOptions, AreThoseOfTheTable) {
  const std::string fields = fields_of("ogas_engine_options");
  for (const EngineSetting& setting : engine_settings()) {
    const std::string name(setting.name);
    EXPECT_THAT(fields, ::testing::ContainsRegex("[ *]" + name + ";"));
    const std::string former(setting.c_alias.empty() ? setting.name : setting.c_alias);
    EXPECT_THAT(fields, ::testing::ContainsRegex("[ *]" + former + ";")) << name;
    if (setting.is_list()) continue;
    const auto found = std::ranges::find(engine_fields(), setting.name, &EngineField::name);
    ASSERT_NE(found, engine_fields().end()) << name;
    const std::string choice = setting.choices().empty() ? "7" : setting.choices().back();
    EngineOptions expected;
    ASSERT_TRUE(setting.set(expected, choice)) << name;
    ogas_engine_options options{};
    std::visit(
        [&](auto field) {
          if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(options.*field)>>)
            options.*field = choice.c_str();
          else
            options.*field = 7;
        },
        found->field);
    const EngineOptions made = make_engine_options(options).value();
    std::visit([&](auto member) { EXPECT_EQ(made.*member, expected.*member) << name; }, setting.member);
  }
}

TEST(CApiEngineOptions, HaveThoseOfTheScheduler) {
  ogas_engine_options options{};
  const SchedulerOptions usual = make_scheduler_options(options).value();
  EXPECT_EQ(usual.n_running, SchedulerOptions{}.n_running);
  EXPECT_EQ(usual.n_waiting, SchedulerOptions{}.n_waiting);
  options.n_running = 3;
  options.n_waiting = 7;
  EXPECT_EQ(make_scheduler_options(options)->n_running, 3U);
  EXPECT_EQ(make_scheduler_options(options)->n_waiting, 7U);
  options.n_running = 5000;
  EXPECT_EQ(make_scheduler_options(options).error().message, "n_running is 5000; it must lie between 1 and 4096");
}

TEST(CApiEngineOptions, AreRefusedOutOfRange) {
  ogas_engine_options options{};
  options.n_threads = 5000;
  EXPECT_EQ(make_engine_options(options).error().message, "n_threads is 5000; it must lie between 1 and 1024");
  options = {};
  options.expert_prefetch = "maybe";
  EXPECT_EQ(make_engine_options(options).error().message,
            "expert_prefetch is 'maybe'; one of auto, on, off is expected");
}

TEST(CApiStats, AreTheFiguresOfAnAnswer) {
  const std::string fields = fields_of("ogas_stats");
  const AnswerStats stats = {.n_prompt = 9,
                             .n_cached = 2,
                             .n_generated = 3,
                             .prefill_seconds = 4,
                             .decode_seconds = 5,
                             .first_token_seconds = 6,
                             .cost = {.n_rows = 7, .seconds = 8}};
  const ogas_stats ours = stats_of(stats);
  for (const AnswerFigure& figure : answer_figures()) {
    const auto found = std::ranges::find(stats_fields(), figure.name, &StatsField::name);
    ASSERT_EQ(found != stats_fields().end(), figure.is_in_c) << figure.name;
    if (!figure.is_in_c) continue;
    EXPECT_THAT(fields, HasSubstr(fmt::format(" {};", figure.name)));
    std::visit([&](auto field) { EXPECT_EQ(ours.*field, figure.value(stats)) << figure.name; }, found->field);
  }
}

TEST_F(CApi, FieldsKeepTheirFormerNames) {
  ogas_generate_options options = greedy(engine_, 1);
  options.penalty_window = 7;
  options.ignore_end = 1;
  options.dry_window = 9;
  const char* breakers[] = {"x"};
  options.dry_breakers = breakers;
  options.n_dry_breakers = 1;
  EXPECT_EQ(options.repeat_last_n, 7U);
  EXPECT_EQ(options.ignore_eos, 1);
  EXPECT_EQ(options.dry_penalty_last_n, 9U);
  EXPECT_EQ(options.dry_sequence_breakers, breakers);
  EXPECT_EQ(options.n_dry_sequence_breakers, 1U);
  ogas_engine_options engine{};
  engine.kv_type = "f32";
  engine.n_experts = 2;
  engine.min_weight = 0.5F;
  engine.prefix_budget = 3;
  EXPECT_STREQ(engine.kv_cache_type, "f32");
  EXPECT_EQ(engine.n_expert_used, 2U);
  EXPECT_EQ(engine.min_expert_weight, 0.5F);
  EXPECT_EQ(engine.prefix_cache, 3U);
}

TEST_F(CApi, DryEndsRepetitions) {
  const Tokens round = tokenize(engine_, " red green blue");
  ASSERT_EQ(round.size(), 3U);
  Tokens prompt;
  for (int n = 0; n < 8; ++n) prompt.insert(prompt.end(), round.begin(), round.end());
  prompt.pop_back();
  const Asker asker(engine_, prompt);
  ogas_generate_options options = greedy(engine_, 1);
  ASSERT_EQ(asker.answer(options), Tokens{round.back()});
  EXPECT_EQ(options.dry_multiplier, 0);
  options.dry_multiplier = 5;
  const Tokens changed = asker.answer(options);
  EXPECT_NE(changed, Tokens{round.back()});
  options.dry_base = 0;  // as if it had not been set
  EXPECT_EQ(asker.answer(options), changed);
  options.dry_allowed_length = 40;
  EXPECT_EQ(asker.answer(options), Tokens{round.back()}) << "the repetition is shorter";
  options.dry_allowed_length = 2;
  options.dry_penalty_last_n = 3;
  EXPECT_EQ(asker.answer(options), Tokens{round.back()}) << "there is none in the last three";
  options.dry_penalty_last_n = 20;
  EXPECT_EQ(asker.answer(options), changed);
  options.dry_penalty_last_n = UINT32_MAX;
  EXPECT_EQ(asker.answer(options), changed);
  const char* breakers[] = {"gree", "no such text"};
  options.dry_sequence_breakers = breakers;
  options.n_dry_sequence_breakers = 2;
  EXPECT_EQ(asker.answer(options), Tokens{round.back()}) << "no repetition goes past a breaker";

  breakers[1] = "";
  asker.refuses(options, "one of dry_sequence_breakers is empty");
  breakers[1] = nullptr;
  asker.refuses(options, "dry_sequence_breakers[1] is NULL");
  options.dry_sequence_breakers = nullptr;
  asker.refuses(options, "dry_sequence_breakers is NULL");
  options.n_dry_sequence_breakers = 0;
  options.dry_base = 0.5F;
  asker.refuses(options, "dry_base is 0.5");
}

// The usual ones, or those given, of which there may be none.
TEST_F(CApi, NewLinesBreakRepetitionsByDefault) {
  std::string lines;
  for (int n = 0; n < 12; ++n) lines += "red\n";
  const Asker asker(engine_, tokenize(engine_, lines));
  ogas_generate_options options = greedy(engine_, 1);
  const Tokens usual = asker.answer(options);
  options.dry_multiplier = 5;
  EXPECT_EQ(asker.answer(options), usual);
  const char* none[] = {""};
  options.dry_sequence_breakers = none;
  EXPECT_NE(asker.answer(options), usual);
}

TEST_F(CApi, LogprobsOfTheAnswer) {
  const Asker asker(engine_, tokenize(engine_, "The capital of France is"));
  ogas_generate_options options = greedy(engine_, 6);
  options.ignore_eos = 1;
  const auto refused = [&](size_t token_idx, size_t rank, const char* text) {
    ogas_logprob found;
    EXPECT_EQ(ogas_session_logprob(asker.session.get(), token_idx, rank, &found, sizeof(found)), OGAS_ERROR_USAGE);
    EXPECT_THAT(ogas_last_error(), HasSubstr(text));
  };
  refused(0, OGAS_RANK_CHOSEN, "token_idx is 0; the last answer has 0 tokens");
  asker.answer(options);
  refused(0, OGAS_RANK_CHOSEN, "ask for logprobs");
  options.n_top_logprobs = 3;
  const Tokens usual = asker.answer(options);
  for (size_t idx = 0; idx < usual.size(); ++idx) {
    const ogas_logprob chosen = asker.logprob(idx, OGAS_RANK_CHOSEN);
    EXPECT_EQ(chosen.size, sizeof(chosen));
    EXPECT_EQ(chosen.token, usual[idx]);
    EXPECT_EQ(chosen.n_top, 3U);
    EXPECT_EQ(asker.logprob(idx, 1).token, usual[idx]) << "the likeliest was taken";
    double sum = 0;
    for (size_t rank = 1; rank <= 3; ++rank) {
      const ogas_logprob top = asker.logprob(idx, rank);
      sum += std::exp(double{top.logprob});
      EXPECT_LE(top.logprob, asker.logprob(idx, std::max<size_t>(rank - 1, 1)).logprob);
      char* text = nullptr;
      size_t n_bytes = 0;
      ASSERT_EQ(ogas_detokenize(engine_.get(), &top.token, 1, &text, &n_bytes), OGAS_OK);
      EXPECT_EQ(std::string(top.bytes, top.n_bytes), std::string(text, n_bytes));
      ogas_free(text);
    }
    EXPECT_LE(sum, 1 + 1e-6);
    EXPECT_GT(sum, 0.01);
  }
  refused(0, 4, "rank is 4; 3 of the likeliest");
  refused(6, 1, "token_idx is 6; the last answer has 6 tokens");

  // They are the model's own, whatever was asked of the choice.
  const float likeliest = asker.logprob(0, 1).logprob;
  const ogas_logit_bias bias = {tokenize(engine_, " green").front(), 100};
  options.logit_bias = &bias;
  options.n_logit_bias = 1;
  asker.answer(options);
  EXPECT_EQ(asker.logprob(0, OGAS_RANK_CHOSEN).token, bias.token);
  EXPECT_EQ(asker.logprob(0, 1).token, usual[0]);
  EXPECT_EQ(asker.logprob(0, 1).logprob, likeliest);

  options.n_top_logprobs = 0;
  options.logprobs = 1;
  asker.answer(options);
  EXPECT_EQ(asker.logprob(0, OGAS_RANK_CHOSEN).n_top, 0U);
  refused(0, 1, "0 of the likeliest");
  ogas_logprob older;
  std::memset(&older, 0xFF, sizeof(older));
  ASSERT_EQ(ogas_session_logprob(asker.session.get(), 0, 0, &older, offsetof(ogas_logprob, bytes)), OGAS_OK);
  EXPECT_EQ(older.token, bias.token);
  EXPECT_EQ(older.n_bytes, SIZE_MAX) << "an older caller's ends earlier";
  expect_usage(ogas_session_logprob(nullptr, 0, 0, &older, sizeof(older)), "session is NULL");
  expect_usage(ogas_session_logprob(asker.session.get(), 0, 0, nullptr, sizeof(older)), "ogas_logprob is NULL");
}

TEST_F(CApi, XtcAndMirostat) {
  const Asker asker(engine_, tokenize(engine_, "Once upon a time"));
  ogas_generate_options options = greedy(engine_, 8);
  options.temperature = 1;
  options.top_k = 2;
  options.top_p = options.typical_p = 1;
  options.min_p = 0;
  options.repetition_penalty = 1;
  options.n_top_logprobs = 2;
  // Both are likely enough, and the likelier one is always left out.
  options.xtc_probability = 1;
  options.xtc_threshold = 0;
  const Tokens seconds = asker.answer(options);
  for (size_t idx = 0; idx < seconds.size(); ++idx) EXPECT_EQ(asker.logprob(idx, 2).token, seconds[idx]) << idx;
  options.xtc_probability = 2;
  asker.refuses(options, "xtc_probability is 2");
  options.xtc_probability = 0;
  EXPECT_NE(asker.answer(options), seconds);
  options.mirostat = 2;
  options.mirostat_tau = 0;  // no surprise at all
  for (size_t idx = 0; idx < asker.answer(options).size(); ++idx)
    EXPECT_EQ(asker.logprob(idx, 1).token, asker.logprob(idx, OGAS_RANK_CHOSEN).token) << idx;
  options.mirostat = 1;
  asker.refuses(options, "mirostat is 1");
}

TEST_F(CApi, AFullContextCanGoOn) {
  ogas_engine_options small;
  ASSERT_EQ(ogas_engine_options_init(&small, sizeof(small)), OGAS_OK);
  small.n_ctx = 64;
  const EnginePtr engine = load(&small);
  const Asker asker(engine, tokenize(engine, "Once upon a time"));
  ogas_generate_options options = greedy(engine, 90);
  options.ignore_eos = 1;
  EXPECT_LT(asker.answer(options).size(), 65U);
  options.context_shift = 1;
  EXPECT_EQ(asker.answer(options).size(), 90U);
}

class CApiExperts : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(ogas_engine_options_init(&options_, sizeof(options_)), OGAS_OK); }

  ogas_status try_to_load(const char* path = kModel) {
    ogas_engine* engine = nullptr;
    const ogas_status status = ogas_engine_load(path, &options_, nullptr, nullptr, &engine);
    ogas_engine_free(engine);
    return status;
  }
  void refuses(const char* text, const char* path = kModel) {
    EXPECT_EQ(try_to_load(path), OGAS_ERROR_USAGE);
    EXPECT_THAT(ogas_last_error(), HasSubstr(text));
  }
  // Log-probabilities of an answer, in which any difference shows.
  std::vector<float> answer() {
    ogas_engine* loaded = nullptr;
    EXPECT_EQ(ogas_engine_load(kModel, &options_, nullptr, nullptr, &loaded), OGAS_OK) << ogas_last_error();
    if (!loaded) return {};
    const EnginePtr engine(loaded);
    const Asker asker(engine, {1, 2, 3, 4, 5});
    ogas_generate_options wanted = greedy(engine, 12);
    wanted.logprobs = 1;
    std::vector<float> logprobs;
    for (size_t idx = 0; idx < asker.answer(wanted).size(); ++idx)
      logprobs.push_back(asker.logprob(idx, OGAS_RANK_CHOSEN).logprob);
    EXPECT_STREQ(asker.logprob(0, OGAS_RANK_CHOSEN).bytes, "") << "it has no tokenizer";
    return logprobs;
  }

  static constexpr const char* kModel = "tests/data/arch/qwen3_moe";
  ogas_engine_options options_;
};

TEST_F(CApiExperts, FromDiskAnswerAsInMemory) {
  const std::vector<float> expected = answer();
  options_.expert_cache = 1;  // the least that works
  EXPECT_EQ(answer(), expected);
  const char* mirrors[] = {kModel, "/nonexistent"};
  options_.mirrors = mirrors;
  options_.n_mirrors = 1;
  for (const char* expert_prefetch : {"on", "off", "auto"}) {
    options_.expert_prefetch = expert_prefetch;
    EXPECT_EQ(answer(), expected);
  }
  options_.n_mirrors = 2;
  EXPECT_EQ(try_to_load(), OGAS_ERROR_NOT_FOUND);
  EXPECT_THAT(ogas_last_error(), HasSubstr("/nonexistent"));
  options_.expert_cache = 0;  // nothing is read from disk, nor from mirrors
  EXPECT_EQ(answer(), expected);
  options_.mirrors = nullptr;
  refuses("mirrors is NULL");
  options_.n_mirrors = 0;
  options_.expert_prefetch = "sometimes";
  refuses("expert_prefetch is 'sometimes'");
}

TEST_F(CApiExperts, TakenInOneRunAreKeptForTheNext) {
  const auto folder = std::filesystem::temp_directory_path() / ("ogas_capi_experts_" + std::to_string(::getpid()));
  const std::string name = folder.string();
  options_.expert_cache = uint64_t{1} << 40;
  options_.experts_folder = name.c_str();
  const std::vector<float> expected = answer();
  EXPECT_FALSE(std::filesystem::is_empty(folder));
  EXPECT_EQ(answer(), expected);
  std::filesystem::remove_all(folder);
}

TEST_F(CApiExperts, CanBeFewer) {
  const std::vector<float> all = answer();
  options_.n_expert_used = 1;
  const std::vector<float> best = answer();
  EXPECT_NE(best, all);
  options_.n_expert_used = 1000;
  refuses("1000 experts a token");
  options_.n_expert_used = 0;
  options_.min_expert_weight = 0.999F;
  EXPECT_NE(answer(), all);
  for (const float wrong : {1.0F, -0.1F, std::numeric_limits<float>::quiet_NaN()}) {
    options_.min_expert_weight = wrong;
    refuses("min_expert_weight is");
  }
  options_.min_expert_weight = 0.1F;
  refuses("no experts", "tests/data/arch/llama");
}

TEST_F(CApiExperts, MemoryCanBeLimited) {
  options_.ram = 1;
  EXPECT_EQ(try_to_load(), OGAS_ERROR_OUT_OF_MEMORY) << ogas_last_error();
  options_.size = offsetof(ogas_engine_options, ram);  // an older caller's, which knows of none
  EXPECT_EQ(try_to_load(), OGAS_OK) << ogas_last_error();
  options_.size = sizeof(options_);
  options_.ram = uint64_t{1} << 40;
  EXPECT_EQ(try_to_load(), OGAS_OK) << ogas_last_error();
}

TEST_F(CApiExperts, ModelsWithoutTokenizerHaveNoBreakers) {
  ogas_engine* loaded = nullptr;
  ASSERT_EQ(ogas_engine_load(kModel, &options_, nullptr, nullptr, &loaded), OGAS_OK);
  const EnginePtr engine(loaded);
  const Asker asker(engine, {1, 2, 3});
  ogas_generate_options wanted = greedy(engine, 2);
  wanted.dry_multiplier = 1;
  EXPECT_EQ(asker.answer(wanted).size(), 2U);
  const char* breakers[] = {"\n"};
  wanted.dry_sequence_breakers = breakers;
  wanted.n_dry_sequence_breakers = 1;
  EXPECT_EQ(asker.ask(wanted), OGAS_ERROR_UNSUPPORTED);
}

}  // namespace
}  // namespace ogas::capi
