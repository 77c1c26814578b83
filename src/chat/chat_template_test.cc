#include "chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ogas {
namespace {

TEST(ChatTemplate, ErrorsSayWhere) {
  const auto parsed = ChatTemplate::parse("line one\n{% if x %}\n{{ 1 + }}\n{% endif %}");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::bad_file);
  EXPECT_THAT(parsed.error().message, testing::HasSubstr("line 3, column 8"));

  const auto refused = ChatTemplate::parse("a\nb\n{{ raise_exception('roles must alternate') }}").value().render({});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("line 3"));
  EXPECT_THAT(refused.error().message, testing::HasSubstr("roles must alternate"));
}

// Clients write "reasoning_content"; gpt-oss's template reads "thinking".
TEST(ChatTemplate, ReasoningHasTheNameThatTheTemplateReads) {
  const auto rendered = [](const char* source, nlohmann::ordered_json message) {
    const auto chat = ChatTemplate::parse(source).value();
    return chat.render({.messages = {std::move(message)}, .tools = nullptr, .extra = nullptr}).value().text;
  };
  constexpr const char* kThinking = "{{ messages[0].thinking }}|{{ messages[0].content }}";
  const nlohmann::ordered_json calls = {{{"function", {{"name", "f"}}}}};
  EXPECT_EQ(rendered(kThinking, {{"role", "assistant"}, {"content", "a"}, {"reasoning_content", "b"}}), "b|a");
  EXPECT_EQ(rendered(kThinking, {{"content", "a"}, {"reasoning_content", "b"}, {"thinking", "c"}}), "c|a");
  EXPECT_EQ(rendered(kThinking, {{"content", ""}, {"reasoning_content", "b"}, {"tool_calls", calls}}), "b|");
  EXPECT_EQ(rendered(kThinking, {{"content", "a"}, {"reasoning_content", "b"}, {"tool_calls", calls}}), "|a");
  EXPECT_EQ(rendered("{{ messages[0].thinking }}|{{ messages[0].reasoning_content }}", {{"reasoning_content", "b"}}),
            "|b");
}

TEST(ChatTemplate, SeesItsInput) {
  const auto parsed = ChatTemplate::parse(
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}|{{ m.content }}]{% endfor %}"
      "{{ '>' if add_generation_prompt }}{{ enable_thinking }}{{ tools is none }}{{ eos_token }}");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto text = parsed->render({.messages = {{{"role", "user"}, {"content", "hi"}}},
                                    .tools = nullptr,
                                    .extra = {{"enable_thinking", false}},
                                    .add_generation_prompt = true,
                                    .bos_token = "<s>",
                                    .eos_token = "</s>"});
  EXPECT_EQ(text.value().text, "<s>[user|hi]>FalseTrue</s>");
  EXPECT_EQ(text.value().input, (std::vector<ByteRange>{{9, 11}}));  // the role is the format's, the words are not
}

}  // namespace
}  // namespace ogas
