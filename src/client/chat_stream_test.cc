#include "client/chat_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ogas::client {
namespace {

using ::testing::HasSubstr;

ChatPiece piece_of(std::string_view data) {
  const auto piece = read_chat_piece(data);
  EXPECT_TRUE(piece) << piece.error().message;
  return piece ? *piece : ChatPiece();
}

std::string error_of(std::string_view data) {
  const auto piece = read_chat_piece(data);
  EXPECT_FALSE(piece) << data;
  return piece ? "" : piece.error().message;
}

TEST(ChatStream, PiecesOfManyServersAreRead) {
  EXPECT_EQ(piece_of(R"({"choices": [{"delta": {"content": "a"}, "finish_reason": null}]})").content, "a");
  EXPECT_EQ(piece_of(R"({"choices": [{"delta": {"content": null, "reasoning_content": "b"}}]})").reasoning, "b");
  EXPECT_EQ(piece_of(R"({"choices": [{"delta": {"reasoning": "c"}}]})").reasoning, "c");
  EXPECT_EQ(piece_of(R"({"choices": [{"message": {"content": "d"}, "finish_reason": "stop"}]})").finish, "stop");
  EXPECT_EQ(piece_of(R"({"choices": [{"delta": {"content": [{"type": "text", "text": "e"}, 3]}}]})").content, "e");
  EXPECT_EQ(piece_of(R"({"choices": [{"delta": {"refusal": "no"}}]})").content, "no");
  const ChatPiece last =
      piece_of(R"({"choices": [], "error": null, "usage": {"prompt_tokens": 5, "completion_tokens": 7,
                                     "prompt_tokens_details": {"cached_tokens": 3}}})");
  EXPECT_EQ(last.usage.value().n_prompt, 5U);
  EXPECT_EQ(last.usage->n_cached, 3U);
  EXPECT_EQ(last.usage->n_generated, 7U);
  EXPECT_EQ(piece_of(R"({"choices": [], "usage": {"prompt_tokens": -5, "completion_tokens": "7"}})").usage->n_prompt,
            0U);
}

TEST(ChatStream, DamageIsSaid) {
  EXPECT_THAT(error_of(""), HasSubstr("'' was sent, where a JSON object is expected"));
  EXPECT_THAT(error_of("{\"choices\": [{\"delta\": {\"content\": \"\xff\"}}]}"), HasSubstr("\\xff"));
  EXPECT_THAT(error_of("[]"), HasSubstr("'[]'"));
  EXPECT_THAT(error_of("{}"), HasSubstr("has no list of choices"));
  EXPECT_THAT(error_of(R"({"choices": {}})"), HasSubstr("has no list of choices"));
  EXPECT_THAT(error_of(R"({"choices": [{"delta": {"content": 3}}]})"),
              HasSubstr("'content' of the answer is a number"));
  EXPECT_THAT(error_of(R"({"error": {"message": "out of memory"}})"), HasSubstr("the server reports: out of memory"));
  EXPECT_THAT(error_of(R"({"error": "busy", "choices": []})"), HasSubstr("the server reports: busy"));
  for (const std::string_view odd : {R"({"choices": [3]})", R"({"choices": [{"delta": 3}]})", R"({"choices": [null]})"})
    EXPECT_EQ(piece_of(odd).content, "");
  // Nested deeper than a stack would bear.
  EXPECT_THAT(error_of("{\"choices\": " + std::string(500'000, '[')), HasSubstr("JSON object"));
  piece_of("{\"choices\": [], \"x\": " + std::string(200'000, '[') + std::string(200'000, ']') + "}");
}

}  // namespace
}  // namespace ogas::client
