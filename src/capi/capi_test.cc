// The C API, function by function, with the default model: errors, threads, sizes of structs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ogas/ogas.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "capi/capi_test_tools.h"

namespace ogas::capi {
namespace {

using ::testing::HasSubstr;

TEST_F(CApi, Facts) {
  EXPECT_EQ(ogas_abi_version(), OGAS_ABI_VERSION);
  EXPECT_THAT(ogas_version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(ogas_engine_n_ctx(engine_.get()), 1024U);
  EXPECT_EQ(ogas_engine_n_vocab(engine_.get()), 49152U);
  EXPECT_STREQ(ogas_status_name(OGAS_ERROR_OUT_OF_MEMORY), "out_of_memory");
  EXPECT_STREQ(ogas_status_name(static_cast<ogas_status>(12)), "unknown");
}

TEST_F(CApi, NullIsAnError) {
  const SessionPtr session = new_session(engine_);
  ogas_engine* engine = engine_.get();
  ogas_engine* new_engine = nullptr;
  ogas_session* other = nullptr;
  ogas_generate_options options = greedy(engine_, 1);
  ogas_conversation chat = conversation("[]");
  int32_t* tokens = nullptr;
  char* text = nullptr;
  size_t n = 0;
  const int32_t id = 1;
  expect_usage(ogas_engine_load(nullptr, nullptr, nullptr, nullptr, &new_engine), "path is NULL");
  expect_usage(ogas_engine_load(model_path(), nullptr, nullptr, nullptr, nullptr), "engine is NULL");
  expect_usage(ogas_engine_options_init(nullptr, 8), "ogas_engine_options is NULL");
  expect_usage(ogas_conversation_init(nullptr, 8), "ogas_conversation is NULL");
  expect_usage(ogas_generate_options_init(nullptr, &options, sizeof(options)), "engine is NULL");
  expect_usage(ogas_generate_options_init(engine, nullptr, sizeof(options)), "ogas_generate_options is NULL");
  expect_usage(ogas_tokenize(nullptr, "a", 1, 0, &tokens, &n), "engine is NULL");
  expect_usage(ogas_tokenize(engine, nullptr, 1, 0, &tokens, &n), "text is NULL");
  expect_usage(ogas_tokenize(engine, "a", 1, 0, nullptr, &n), "tokens is NULL");
  expect_usage(ogas_tokenize(engine, "a", 1, 0, &tokens, nullptr), "n_tokens is NULL");
  expect_usage(ogas_detokenize(nullptr, &id, 1, &text, &n), "engine is NULL");
  expect_usage(ogas_detokenize(engine, nullptr, 1, &text, &n), "tokens is NULL");
  expect_usage(ogas_detokenize(engine, &id, 1, nullptr, &n), "text is NULL");
  expect_usage(ogas_encode_chat(nullptr, &chat, &tokens, &n), "engine is NULL");
  expect_usage(ogas_encode_chat(engine, nullptr, &tokens, &n), "conversation is NULL");
  expect_usage(ogas_encode_chat(engine, &chat, nullptr, &n), "tokens is NULL");
  expect_usage(ogas_encode_chat(engine, &chat, &tokens, nullptr), "n_tokens is NULL");
  expect_usage(ogas_apply_template(nullptr, &chat, &text, &n), "engine is NULL");
  expect_usage(ogas_apply_template(engine, nullptr, &text, &n), "conversation is NULL");
  expect_usage(ogas_apply_template(engine, &chat, nullptr, &n), "text is NULL");
  chat.messages = nullptr;
  expect_usage(ogas_apply_template(engine, &chat, &text, &n), "messages is NULL");
  expect_usage(ogas_session_new(nullptr, &other), "engine is NULL");
  expect_usage(ogas_session_new(engine, nullptr), "session is NULL");
  expect_usage(ogas_session_add(nullptr, "user", "x"), "session is NULL");
  expect_usage(ogas_session_add(session.get(), nullptr, "x"), "role is NULL");
  expect_usage(ogas_session_add(session.get(), "user", nullptr), "content is NULL");
  expect_usage(ogas_session_clear(nullptr), "session is NULL");
  expect_usage(ogas_generate(nullptr, &id, 1, nullptr, nullptr, nullptr), "session is NULL");
  expect_usage(ogas_generate(session.get(), nullptr, 1, nullptr, nullptr, nullptr), "tokens is NULL");
  expect_usage(ogas_chat(nullptr, "x", nullptr, nullptr, nullptr), "session is NULL");
  expect_usage(ogas_chat(session.get(), nullptr, nullptr, nullptr, nullptr), "text is NULL");
  options.n_stop = 1;
  expect_usage(ogas_generate(session.get(), &id, 1, &options, nullptr, nullptr), "stop is NULL");
  expect_usage(ogas_session_stats(nullptr, nullptr, 8), "session is NULL");
  expect_usage(ogas_session_stats(session.get(), nullptr, 8), "ogas_stats is NULL");
  EXPECT_EQ(tokens, nullptr);
  EXPECT_EQ(text, nullptr);
  EXPECT_EQ(new_engine, nullptr);
  ogas_free(nullptr);
  ogas_engine_free(nullptr);
  ogas_session_free(nullptr);
  ogas_cancel(nullptr);
  EXPECT_EQ(ogas_engine_n_ctx(nullptr) + ogas_engine_n_vocab(nullptr), 0U);
  EXPECT_STREQ(ogas_session_text(nullptr, nullptr), "");
  EXPECT_EQ(ogas_session_tokens(nullptr, &n), nullptr);
}

TEST_F(CApi, LoadingSaysWhatIsWrong) {
  ogas_engine* engine = nullptr;
  EXPECT_EQ(ogas_engine_load("/nowhere/m.gguf", nullptr, nullptr, nullptr, &engine), OGAS_ERROR_NOT_FOUND);
  EXPECT_THAT(ogas_last_error(), HasSubstr("/nowhere/m.gguf"));
  EXPECT_EQ(ogas_engine_load("tests/CMakeLists.txt", nullptr, nullptr, nullptr, &engine), OGAS_ERROR_BAD_FILE);
  ogas_engine_options options;
  ASSERT_EQ(ogas_engine_options_init(&options, sizeof(options)), OGAS_OK);
  options.kv_cache_type = "f12";
  EXPECT_EQ(ogas_engine_load(model_path(), &options, nullptr, nullptr, &engine), OGAS_ERROR_USAGE);
  EXPECT_THAT(ogas_last_error(), HasSubstr("'f12'"));
  options.kv_cache_type = nullptr;
  options.kv_budget = 1;
  options.n_ctx = 512;
  EXPECT_EQ(ogas_engine_load(model_path(), &options, nullptr, nullptr, &engine), OGAS_ERROR_USAGE);
  options.kv_budget = 0;
  options.n_ctx = 4000000000U;
  EXPECT_EQ(ogas_engine_load(model_path(), &options, nullptr, nullptr, &engine), OGAS_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(engine, nullptr);
  // Of this thread; others have their own.
  std::thread([] { EXPECT_STREQ(ogas_last_error(), ""); }).join();
  EXPECT_THAT(ogas_last_error(), HasSubstr("4000000000 positions"));
}

TEST_F(CApi, LoadingShowsProgressAndCanBeCancelled) {
  std::vector<double> shares;
  const auto watch = [](double share, void* user) {
    auto& seen = *static_cast<std::vector<double>*>(user);
    EXPECT_TRUE(seen.empty() || share >= seen.back());
    seen.push_back(share);
    return 0;
  };
  ogas_engine* engine = nullptr;
  ASSERT_EQ(ogas_engine_load(model_path(), nullptr, watch, &shares, &engine), OGAS_OK);
  ogas_engine_free(engine);
  engine = nullptr;
  ASSERT_GT(shares.size(), 1U);
  EXPECT_DOUBLE_EQ(shares.back(), 1);
  int n_calls = 0;
  const auto stop = [](double, void* user) { return ++*static_cast<int*>(user); };
  EXPECT_EQ(ogas_engine_load(model_path(), nullptr, stop, &n_calls, &engine), OGAS_ERROR_CANCELLED);
  EXPECT_EQ(n_calls, 1);
  EXPECT_EQ(engine, nullptr);
  // In the midst of the weights.
  double stopped_at = 0;
  const auto stop_late = [](double share, void* user) {
    *static_cast<double*>(user) = share;
    return share > 0.3 ? 1 : 0;
  };
  EXPECT_EQ(ogas_engine_load(model_path(), nullptr, stop_late, &stopped_at, &engine), OGAS_ERROR_CANCELLED);
  EXPECT_GT(stopped_at, 0.3);
  EXPECT_LT(stopped_at, 1);
  EXPECT_EQ(engine, nullptr);
}

TEST_F(CApi, StructsOfOtherVersions) {
  const SessionPtr session = new_session(engine_);
  const Tokens prompt = tokenize(engine_, "Once upon a time");
  const auto generate = [&](const void* options) {
    return ogas_generate(session.get(), prompt.data(), prompt.size(),
                         static_cast<const ogas_generate_options*>(options), nullptr, nullptr);
  };
  // An older caller's ends earlier.
  ogas_generate_options older = greedy(engine_, 3);
  older.size = offsetof(ogas_generate_options, ignore_eos);
  older.ignore_eos = 12345;  // nobody's
  older.top_p = -1;
  EXPECT_EQ(generate(&older), OGAS_OK) << ogas_last_error();
  EXPECT_EQ(tokens_of(session).size(), 3U);
  // One from before there was logit_bias.
  older = greedy(engine_, 2);
  older.size = offsetof(ogas_generate_options, logit_bias);
  older.n_logit_bias = 7;  // nobody's
  older.dry_base = -1;
  EXPECT_EQ(generate(&older), OGAS_OK) << ogas_last_error();
  EXPECT_EQ(tokens_of(session).size(), 2U);
  // A newer caller's ends later.
  struct {
    ogas_generate_options known;
    uint64_t unknown;
  } newer;
  std::memset(&newer, 0xFF, sizeof(newer));
  ASSERT_EQ(ogas_generate_options_init(engine_.get(), &newer.known, sizeof(newer)), OGAS_OK);
  EXPECT_EQ(newer.known.size, sizeof(newer));
  EXPECT_EQ(newer.unknown, 0U);
  newer.known.max_tokens = 2;
  newer.known.ignore_eos = 1;
  EXPECT_EQ(generate(&newer), OGAS_OK) << ogas_last_error();
  EXPECT_EQ(tokens_of(session).size(), 2U);
  newer.unknown = 1;
  EXPECT_EQ(generate(&newer), OGAS_ERROR_UNSUPPORTED);
  // What no struct has.
  for (const size_t size : {size_t{0}, size_t{7}, size_t{1} << 40}) {
    newer.known.size = size;
    EXPECT_EQ(generate(&newer), OGAS_ERROR_USAGE);
    EXPECT_THAT(ogas_last_error(), HasSubstr("ogas_generate_options_init"));
    EXPECT_EQ(ogas_generate_options_init(engine_.get(), &newer.known, size), OGAS_ERROR_USAGE);
  }
  ogas_stats stats;
  std::memset(&stats, 0xFF, sizeof(stats));
  ASSERT_EQ(ogas_session_stats(session.get(), &stats, offsetof(ogas_stats, n_prompt)), OGAS_OK);
  EXPECT_EQ(stats.finish, OGAS_FINISH_NONE);
  EXPECT_EQ(stats.n_prompt, 0xFFFFFFFFU);
}

// A field that a later version puts there would find what nobody has set.
TEST(CApiStructs, DoNotEndInPadding) {
  const auto ends_at = [](size_t offset, size_t n_bytes) { return offset + n_bytes; };
  EXPECT_EQ(ends_at(offsetof(ogas_engine_options, experts_folder), sizeof(ogas_engine_options::experts_folder)),
            sizeof(ogas_engine_options));
  EXPECT_EQ(ends_at(offsetof(ogas_generate_options, unused), sizeof(ogas_generate_options::unused)),
            sizeof(ogas_generate_options));
  EXPECT_EQ(ends_at(offsetof(ogas_tool_call, unused), sizeof(ogas_tool_call::unused)), sizeof(ogas_tool_call));
  EXPECT_EQ(ends_at(offsetof(ogas_logprob, n_top), sizeof(ogas_logprob::n_top)), sizeof(ogas_logprob));
  EXPECT_EQ(ends_at(offsetof(ogas_stats, n_computed), sizeof(ogas_stats::n_computed)), sizeof(ogas_stats));
}

TEST_F(CApi, TextAndTokens) {
  for (const std::string text : {"Hello, world!\n", "", "two  spaces 😀", "<|im_end|>"}) {
    const Tokens tokens = tokenize(engine_, text);
    char* back = nullptr;
    size_t n_bytes = 0;
    ASSERT_EQ(ogas_detokenize(engine_.get(), tokens.data(), tokens.size(), &back, &n_bytes), OGAS_OK);
    EXPECT_EQ(std::string(back, n_bytes), text);
    EXPECT_EQ(back[n_bytes], '\0');
    ogas_free(back);
  }
  EXPECT_GT(tokenize(engine_, "<|im_end|>").size(), 1U);
  EXPECT_EQ(tokenize(engine_, "<|im_end|>", OGAS_PARSE_SPECIAL), Tokens{2});
  int32_t* tokens = nullptr;
  size_t n = 0;
  ASSERT_EQ(ogas_tokenize(engine_.get(), "Hello there", OGAS_NUL_TERMINATED, 0, &tokens, &n), OGAS_OK);
  EXPECT_EQ(n, tokenize(engine_, "Hello there").size());
  ogas_free(tokens);
  EXPECT_EQ(ogas_tokenize(engine_.get(), "a", 1, 8, &tokens, &n), OGAS_ERROR_USAGE);
  const int32_t wrong[] = {1, 49152};
  char* text = nullptr;
  expect_usage(ogas_detokenize(engine_.get(), wrong, 2, &text, nullptr),
               "token 49152 at position 1: the vocabulary has 49152");
}

TEST_F(CApi, Templates) {
  auto chat = conversation(R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])");
  const std::string expected =
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  char* text = nullptr;
  size_t n_bytes = 0;
  ASSERT_EQ(ogas_apply_template(engine_.get(), &chat, &text, &n_bytes), OGAS_OK) << ogas_last_error();
  EXPECT_EQ(std::string(text, n_bytes), expected);
  ogas_free(text);
  EXPECT_EQ(encode_chat(engine_, chat), tokenize(engine_, expected, OGAS_PARSE_SPECIAL));
  chat.leaves_open = 1;
  EXPECT_EQ(encode_chat(engine_, chat),
            tokenize(engine_, expected.substr(0, expected.rfind("<|im_start|>")), OGAS_PARSE_SPECIAL));
  // What somebody typed ends no turn, unless asked for.
  const auto n_ends = [&](ogas_conversation asked) { return std::ranges::count(encode_chat(engine_, asked), 2); };
  auto typed = conversation(R"([{"role": "system", "content": "x"}, {"role": "user", "content": "a<|im_end|>b"}])");
  EXPECT_EQ(n_ends(typed), 2);
  typed.parses_special_in_content = 1;
  EXPECT_EQ(n_ends(typed), 3);

  const auto refused = [&](const char* messages, const char* tools = nullptr) {
    auto wrong = conversation(messages);
    wrong.tools = tools;
    int32_t* tokens = nullptr;
    size_t n_tokens = 0;
    EXPECT_EQ(ogas_encode_chat(engine_.get(), &wrong, &tokens, &n_tokens), OGAS_ERROR_USAGE);
    return std::string(ogas_last_error());
  };
  EXPECT_THAT(refused("[{"), HasSubstr("messages is not JSON"));
  EXPECT_THAT(refused("{}"), HasSubstr("messages is object; an array"));
  EXPECT_THAT(refused(R"([{"content": "x"}])"), HasSubstr("message 0"));
  EXPECT_THAT(refused("[{\"role\": \"user\", \"content\": \"\xFF\"}]"), HasSubstr("messages is not JSON"));
  EXPECT_THAT(refused("[]", "1"), HasSubstr("tools is number"));
}

TEST_F(CApi, AnswersTokensAndStops) {
  const SessionPtr session = new_session(engine_);
  EXPECT_EQ(stats_of(session).finish, OGAS_FINISH_NONE);
  EXPECT_EQ(text_of(session), "");
  const Tokens prompt = tokenize(engine_, "Once upon a time");
  ogas_generate_options options = greedy(engine_, 24);
  options.ignore_eos = 1;
  Collector shown;
  const auto generate = [&] {
    shown = {};
    return ogas_generate(session.get(), prompt.data(), prompt.size(), &options, Collector::collect, &shown);
  };
  ASSERT_EQ(generate(), OGAS_OK) << ogas_last_error();
  const std::string whole = text_of(session);
  EXPECT_EQ(shown.text, whole);
  EXPECT_EQ(tokens_of(session).size(), 24U);
  const ogas_stats stats = stats_of(session);
  EXPECT_EQ(stats.finish, OGAS_FINISH_LENGTH);
  EXPECT_EQ(stats.n_prompt, prompt.size());
  EXPECT_EQ(stats.n_generated, 24U);
  EXPECT_GT(stats.first_token_seconds, 0);
  EXPECT_GT(stats.decode_seconds, 0);

  const char* stop[] = {whole.c_str() + whole.size() / 2};
  options.stop = stop;
  options.n_stop = 1;
  ASSERT_EQ(generate(), OGAS_OK);
  EXPECT_EQ(text_of(session), whole.substr(0, whole.find(stop[0])));
  EXPECT_EQ(shown.text, text_of(session));
  EXPECT_EQ(stats_of(session).finish, OGAS_FINISH_STOP_TEXT);
  options.n_stop = 0;

  options.temperature = 1;
  options.seed = 7;
  ASSERT_EQ(generate(), OGAS_OK);
  const std::string drawn = text_of(session);
  EXPECT_NE(drawn, whole);
  ASSERT_EQ(generate(), OGAS_OK);
  EXPECT_EQ(text_of(session), drawn);

  options.seed = static_cast<uint64_t>(-1);  // drawn again each time
  std::set<std::string> texts;
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(generate(), OGAS_OK);
    texts.insert(text_of(session));
  }
  EXPECT_GT(texts.size(), 1U);

  options.top_p = 2;
  EXPECT_EQ(generate(), OGAS_ERROR_USAGE);
  EXPECT_THAT(ogas_last_error(), HasSubstr("top_p"));
  EXPECT_EQ(stats_of(session).finish, OGAS_FINISH_NONE);
  const Tokens too_long(1025, 1);
  EXPECT_EQ(ogas_generate(session.get(), too_long.data(), too_long.size(), nullptr, nullptr, nullptr),
            OGAS_ERROR_USAGE);
  EXPECT_EQ(ogas_generate(session.get(), too_long.data(), 0, nullptr, nullptr, nullptr), OGAS_ERROR_USAGE);
}

TEST_F(CApi, ConversationsRememberWhatWasSaid) {
  const SessionPtr session = new_session(engine_);
  const ogas_generate_options options = greedy(engine_, 16);
  ASSERT_EQ(ogas_session_add(session.get(), "system", "Be brief."), OGAS_OK);
  ASSERT_EQ(ogas_chat(session.get(), "What is \"red\"?", &options, nullptr, nullptr), OGAS_OK) << ogas_last_error();
  const std::string first = text_of(session);
  EXPECT_EQ(ogas_chat(session.get(), "not \xFF UTF-8", &options, nullptr, nullptr), OGAS_ERROR_USAGE);
  EXPECT_THAT(ogas_last_error(), HasSubstr("byte 4 is 0xff"));
  const std::string too_long(20000, 'x');
  EXPECT_EQ(ogas_chat(session.get(), too_long.c_str(), &options, nullptr, nullptr), OGAS_ERROR_USAGE);
  ASSERT_EQ(ogas_chat(session.get(), "And green?", &options, nullptr, nullptr), OGAS_OK);
  // As if the whole conversation had been given.
  const auto by_hand = [&](const char* messages) {
    const SessionPtr other = new_session(engine_);
    const Tokens prompt = encode_chat(engine_, conversation(messages));
    EXPECT_EQ(ogas_generate(other.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr), OGAS_OK);
    return text_of(other);
  };
  std::string quoted;
  for (const char c : first) quoted += c == '"' ? "\\\"" : c == '\n' ? "\\n" : std::string(1, c);
  const std::string messages =
      R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is \"red\"?"},
      {"role": "assistant", "content": ")" +
      quoted + R"("}, {"role": "user", "content": "And green?"}])";
  EXPECT_EQ(text_of(session), by_hand(messages.c_str()));
  ASSERT_EQ(ogas_session_clear(session.get()), OGAS_OK);
  ASSERT_EQ(ogas_chat(session.get(), "Hi", &options, nullptr, nullptr), OGAS_OK);
  EXPECT_EQ(text_of(session), by_hand(R"([{"role": "user", "content": "Hi"}])"));
}

TEST_F(CApi, ACallbackCancels) {
  const SessionPtr session = new_session(engine_);
  ogas_generate_options options = greedy(engine_, 500);
  options.ignore_eos = 1;
  Collector shown{.n_wanted = 3};
  ASSERT_EQ(ogas_chat(session.get(), "Count.", &options, Collector::collect, &shown), OGAS_OK) << ogas_last_error();
  EXPECT_EQ(shown.n_pieces, 3);
  EXPECT_EQ(stats_of(session).finish, OGAS_FINISH_CANCELLED);
  EXPECT_LT(stats_of(session).n_generated, 500U);
  EXPECT_TRUE(text_of(session).starts_with(shown.text));
}

TEST_F(CApi, APromptIsRememberedAndADeadlineEnds) {
  const SessionPtr session = new_session(engine_), other = new_session(engine_);
  ogas_generate_options options = greedy(engine_, 4);
  options.client = "somebody";
  options.priority = 1;
  const std::vector<int32_t> prompt(150, 33);
  ASSERT_EQ(ogas_generate(session.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr), OGAS_OK);
  EXPECT_EQ(stats_of(session).n_cached, 0U);
  ASSERT_EQ(ogas_generate(other.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr), OGAS_OK);
  EXPECT_EQ(stats_of(other).n_cached, 128U);
  EXPECT_EQ(tokens_of(other), tokens_of(session));
  options.deadline_seconds = 1e-9;
  ASSERT_EQ(ogas_generate(session.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr), OGAS_OK);
  EXPECT_EQ(stats_of(session).finish, OGAS_FINISH_DEADLINE);
}

TEST_F(CApi, AnotherThreadCancels) {
  const SessionPtr session = new_session(engine_);
  ogas_generate_options options = greedy(engine_, 900);
  options.ignore_eos = 1;
  ogas_cancel(session.get());  // nothing, for there is no request
  const Tokens prompt = tokenize(engine_, "Once upon a time");
  std::atomic<bool> has_begun = false;
  const auto begin = [](const char*, size_t, void* user) {
    auto& flag = *static_cast<std::atomic<bool>*>(user);
    flag = true;
    flag.notify_all();
    return 0;
  };
  std::thread other([&] {
    has_begun.wait(false);
    ogas_cancel(session.get());
  });
  EXPECT_EQ(ogas_generate(session.get(), prompt.data(), prompt.size(), &options, begin, &has_begun), OGAS_OK);
  EXPECT_TRUE(has_begun);
  begin(nullptr, 0, &has_begun);  // it must not wait for ever
  other.join();
  EXPECT_EQ(stats_of(session).finish, OGAS_FINISH_CANCELLED);
  EXPECT_GT(stats_of(session).n_generated, 0U);
  // It has no effect on a later one.
  options.max_tokens = 4;
  EXPECT_EQ(ogas_generate(session.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr), OGAS_OK);
  EXPECT_EQ(stats_of(session).finish, OGAS_FINISH_LENGTH);
}

TEST_F(CApi, ManyThreadsGetTheAnswersTheyGetAlone) {
  const ogas_generate_options options = greedy(engine_, 32);
  const auto ask = [&](const std::string& question) {
    const SessionPtr session = new_session(engine_);
    Collector shown;
    EXPECT_EQ(ogas_chat(session.get(), question.c_str(), &options, Collector::collect, &shown), OGAS_OK);
    EXPECT_EQ(shown.text, text_of(session));
    return shown.text;
  };
  const std::vector<std::string> questions = {"Why is the sky blue?", "Name a fish.", "Count to ten.", "Who are you?"};
  std::vector<std::string> alone, together(questions.size());
  for (const std::string& question : questions) alone.push_back(ask(question));
  std::vector<std::thread> threads;
  for (size_t idx = 0; idx < questions.size(); ++idx)
    threads.emplace_back([&, idx] { together[idx] = ask(questions[idx]); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, alone);
}

TEST_F(CApi, ASessionTakesOneCallAtATime) {
  const SessionPtr session = new_session(engine_), other = new_session(engine_);
  struct Both {
    ogas_session *busy, *free;
    ogas_generate_options options;
  } both{session.get(), other.get(), greedy(engine_, 2)};
  const auto ask_again = [](const char*, size_t, void* user) {
    const auto& sessions = *static_cast<Both*>(user);
    EXPECT_EQ(ogas_chat(sessions.busy, "Hi", &sessions.options, nullptr, nullptr), OGAS_ERROR_UNAVAILABLE);
    EXPECT_EQ(ogas_session_clear(sessions.busy), OGAS_ERROR_UNAVAILABLE);
    EXPECT_THAT(ogas_last_error(), HasSubstr("one call at a time"));
    // Callbacks may use all else.
    EXPECT_EQ(ogas_chat(sessions.free, "Hi", &sessions.options, nullptr, nullptr), OGAS_OK);
    return 0;
  };
  EXPECT_EQ(ogas_chat(session.get(), "Hi", &both.options, ask_again, &both), OGAS_OK);
}

TEST_F(CApi, TooManyRequestsAreRefused) {
  ogas_engine_options options;
  ASSERT_EQ(ogas_engine_options_init(&options, sizeof(options)), OGAS_OK);
  options.n_ctx = 1024;
  options.n_running = 1;
  options.n_waiting = 1;
  const EnginePtr engine = load(&options);
  ogas_generate_options long_answer = greedy(engine, 300);
  long_answer.ignore_eos = 1;
  constexpr size_t kSessions = 4;
  std::vector<SessionPtr> sessions;
  for (size_t idx = 0; idx < kSessions; ++idx) sessions.push_back(new_session(engine));
  std::atomic<int> n_refused = 0;
  std::vector<std::thread> threads;
  for (const SessionPtr& session : sessions)
    threads.emplace_back([&] {
      if (ogas_chat(session.get(), "Hi", &long_answer, nullptr, nullptr) == OGAS_OK) return;
      EXPECT_THAT(ogas_last_error(), HasSubstr("waiting"));
      if (++n_refused == 1)  // enough was seen
        for (const SessionPtr& any : sessions) ogas_cancel(any.get());
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(n_refused, 0);
}

TEST_F(CApi, ASessionKeepsItsEngine) {
  EnginePtr engine = load();
  const ogas_generate_options options = greedy(engine, 4);
  const SessionPtr session = new_session(engine);
  engine.reset();
  EXPECT_EQ(ogas_chat(session.get(), "Hi", &options, nullptr, nullptr), OGAS_OK) << ogas_last_error();
}

TEST(CApiWithoutTokenizer, TokensStillWork) {
  ogas_engine* loaded = nullptr;
  ASSERT_EQ(ogas_engine_load("tests/data/arch/llama", nullptr, nullptr, nullptr, &loaded), OGAS_OK);
  const EnginePtr engine(loaded);
  const SessionPtr session = new_session(engine);
  ogas_generate_options options = greedy(engine, 5);
  options.ignore_eos = 1;
  const Tokens prompt = {1, 2, 3};
  ASSERT_EQ(ogas_generate(session.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr), OGAS_OK);
  EXPECT_EQ(tokens_of(session).size(), 5U);
  EXPECT_EQ(text_of(session), "");
  EXPECT_EQ(ogas_chat(session.get(), "Hi", &options, nullptr, nullptr), OGAS_ERROR_UNSUPPORTED);
  int32_t* tokens = nullptr;
  size_t n_tokens = 0;
  EXPECT_EQ(ogas_tokenize(engine.get(), "a", 1, 0, &tokens, &n_tokens), OGAS_ERROR_UNSUPPORTED);
}

}  // namespace
}  // namespace ogas::capi
