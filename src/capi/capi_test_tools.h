// What tests of the C API share: calls that must succeed, and handles that free themselves.
#pragma once

#include <gtest/gtest.h>
#include <ogas/ogas.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ogas::capi {

struct Free {
  void operator()(ogas_engine* engine) const { ogas_engine_free(engine); }
  void operator()(ogas_session* session) const { ogas_session_free(session); }
};
using EnginePtr = std::unique_ptr<ogas_engine, Free>;
using SessionPtr = std::unique_ptr<ogas_session, Free>;
using Tokens = std::vector<int32_t>;

inline const char* model_path() {
  const char* path = std::getenv("OGAS_TEST_MODEL");
  EXPECT_NE(path, nullptr) << "OGAS_TEST_MODEL must name the default model's .gguf; ./test sets it";
  return path ? path : "";
}

inline EnginePtr load(const ogas_engine_options* given = nullptr) {
  ogas_engine_options options;
  EXPECT_EQ(ogas_engine_options_init(&options, sizeof(options)), OGAS_OK);
  options.n_ctx = 1024;
  ogas_engine* engine = nullptr;
  EXPECT_EQ(ogas_engine_load(model_path(), given ? given : &options, nullptr, nullptr, &engine), OGAS_OK)
      << ogas_last_error();
  return EnginePtr(engine);
}

inline SessionPtr new_session(const EnginePtr& engine) {
  ogas_session* session = nullptr;
  EXPECT_EQ(ogas_session_new(engine.get(), &session), OGAS_OK) << ogas_last_error();
  return SessionPtr(session);
}

inline Tokens tokenize(const EnginePtr& engine, std::string_view text, unsigned flags = 0) {
  int32_t* tokens = nullptr;
  size_t n_tokens = 0;
  EXPECT_EQ(ogas_tokenize(engine.get(), text.data(), text.size(), flags, &tokens, &n_tokens), OGAS_OK)
      << ogas_last_error();
  Tokens result(tokens, tokens + n_tokens);
  ogas_free(tokens);
  return result;
}

inline ogas_conversation conversation(const char* messages) {
  ogas_conversation result;
  EXPECT_EQ(ogas_conversation_init(&result, sizeof(result)), OGAS_OK);
  result.messages = messages;
  return result;
}

inline Tokens encode_chat(const EnginePtr& engine, const ogas_conversation& chat) {
  int32_t* tokens = nullptr;
  size_t n_tokens = 0;
  EXPECT_EQ(ogas_encode_chat(engine.get(), &chat, &tokens, &n_tokens), OGAS_OK) << ogas_last_error();
  Tokens result(tokens, tokens + n_tokens);
  ogas_free(tokens);
  return result;
}

inline ogas_generate_options greedy(const EnginePtr& engine, uint32_t max_tokens) {
  ogas_generate_options options;
  EXPECT_EQ(ogas_generate_options_init(engine.get(), &options, sizeof(options)), OGAS_OK);
  options.temperature = 0;
  options.max_tokens = max_tokens;
  return options;
}

inline ogas_stats stats_of(const SessionPtr& session) {
  ogas_stats stats;
  EXPECT_EQ(ogas_session_stats(session.get(), &stats, sizeof(stats)), OGAS_OK);
  return stats;
}

inline std::string text_of(const SessionPtr& session) {
  size_t n_bytes = 0;
  const char* text = ogas_session_text(session.get(), &n_bytes);
  EXPECT_EQ(std::strlen(text), n_bytes);
  return {text, n_bytes};
}

inline Tokens tokens_of(const SessionPtr& session) {
  size_t n_tokens = 0;
  const int32_t* tokens = ogas_session_tokens(session.get(), &n_tokens);
  return {tokens, tokens + n_tokens};
}

// A callback that collects the text and asks to stop after a number of pieces.
struct Collector {
  std::string text = {};
  int n_pieces = 0, n_wanted = 1 << 30;
  static int collect(const char* text, size_t n_bytes, void* user) {
    auto* self = static_cast<Collector*>(user);
    EXPECT_EQ(text[n_bytes], '\0');
    self->text.append(text, n_bytes);
    return ++self->n_pieces >= self->n_wanted;
  }
};

inline void expect_usage(ogas_status status, const char* message) {
  EXPECT_EQ(status, OGAS_ERROR_USAGE);
  EXPECT_STREQ(ogas_last_error(), message);
}

class CApi : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = load(); }
  static void TearDownTestSuite() { engine_.reset(); }
  static inline EnginePtr engine_;
};

}  // namespace ogas::capi
