// A tokenizer of a few hundred tokens, whose control tokens are <s> and the like, and templates made up for each test.
#include "engine/model_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

class ModelTextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    for (const char* name : {"config.json", "model.safetensors"})
      fs::copy_file(fs::path("tests/data/arch/llama") / name, folder_ / name);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void add_tokenizer() const {
    fs::copy_file("tests/data/tokenizers/small_byte_level.tokenizer.json", folder_ / "tokenizer.json");
  }
  void add_templates(const Json& templates) const {
    const Json config = {{"eos_token", "<|end|>"}, {"chat_template", templates}};
    ASSERT_TRUE(write_file_atomically(folder_ / "tokenizer_config.json", config.dump()));
  }
  ModelText read(const std::string& template_source = {}) const {
    const auto file = TensorFile::open(folder_);
    EXPECT_TRUE(file) << file.error().message;
    auto text = ModelText::read(*file, template_source);
    EXPECT_TRUE(text) << text.error().message;
    return *std::move(text);
  }
  static ChatTemplateInput says(const std::string& words) {
    return {.messages = {{{"role", "user"}, {"content", words}}}, .tools = nullptr, .extra = nullptr};
  }

  const fs::path folder_ = fs::temp_directory_path() / fmt::format("ogas_model_text_{}", ::getpid());
};

TEST_F(ModelTextTest, SaysWhatIsMissing) {
  const ModelText text = read();
  EXPECT_EQ(text.tokenizer(), nullptr);
  EXPECT_EQ(text.chat_template(), nullptr);
  EXPECT_THAT(text.chat_template_error(), HasSubstr("no chat template"));
  EXPECT_FALSE(text.templates_mention("messages"));
  EXPECT_TRUE(text.answer_ends().ids().empty());
  const auto tokenizer = text.tokenizer_or_error();
  ASSERT_FALSE(tokenizer);
  const auto rendered = text.render(says("hi"));
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().message, tokenizer.error().message);
  EXPECT_EQ(text.encode_chat(says("hi")).error().message, tokenizer.error().message);
}

TEST_F(ModelTextTest, NamesTheErrorOfATemplate) {
  add_tokenizer();
  add_templates("{% if %}");
  const ModelText text = read();
  EXPECT_NE(text.tokenizer(), nullptr);
  EXPECT_EQ(text.chat_template(), nullptr);
  const auto rendered = text.render(says("hi"));
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().code, ErrorCode::unsupported);
  EXPECT_EQ(rendered.error().message, text.chat_template_error());
}

// What a template must show for its tools to be used.
constexpr std::string_view kCallMarks = "{# <tool_call> \"arguments\" </tool_call> #}";

TEST_F(ModelTextTest, RendersToolsByTheirOwnTemplate) {
  add_tokenizer();
  add_templates(
      {{{"name", "default"}, {"template", "plain {{ messages[0].content }}"}},
       {{"name", "tool_use"}, {"template", std::string(kCallMarks) + "{{ tools | length }} tools, {{ eos_token }}"}}});
  const ModelText text = read();
  ChatTemplateInput input = says("hi");
  EXPECT_EQ(text.render(input)->text, "plain hi");
  input.tools = Json::array();
  EXPECT_EQ(text.render(input)->text, "plain hi");
  input.tools = Json::array({{{"type", "function"}}});
  EXPECT_EQ(text.render(input)->text, "1 tools, <|end|>");
  EXPECT_TRUE(text.templates_mention("tools"));
  EXPECT_TRUE(text.templates_mention("messages"));
  EXPECT_FALSE(text.templates_mention("documents"));
}

// A system's message describes them where the template takes one, else the user's does.
TEST_F(ModelTextTest, TellsOfToolsThatNoTemplateSupports) {
  add_tokenizer();
  ChatTemplateInput input = says("hi");
  input.tools = Json::parse(R"([{"type": "function", "function": {"name": "ring", "description": "rings"}}])");
  const auto rendered = [&](const std::string& source) {
    const ModelText text = read(source);
    EXPECT_TRUE(text.has_generic_tools());
    EXPECT_EQ(text.output_format(true).call_begin, "<tool_call>");
    EXPECT_EQ(text.output_format(false).call_begin, "");
    return text.render(input)->text;
  };
  const std::string any_role = rendered("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}");
  EXPECT_TRUE(any_role.starts_with("[system]You can call functions.")) << any_role;
  EXPECT_TRUE(any_role.contains("{\"name\":\"ring\",\"description\":\"rings\"}\n")) << any_role;
  EXPECT_TRUE(any_role.ends_with("[user]hi")) << any_role;
  const std::string no_system = rendered(
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}[{{ m.role }}]{{ "
      "m.content "
      "}}{% endfor %}");
  EXPECT_TRUE(no_system.starts_with("[user]You can call functions.")) << no_system;
  EXPECT_TRUE(no_system.ends_with("\n\nhi")) << no_system;
  input.messages = Json::parse(R"([{"role": "user", "content": "a"},
      {"role": "assistant", "content": "b", "tool_calls": [{"function": {"name": "ring", "arguments": {"n": 1}}}]},
      {"role": "tool", "content": "c"}, {"role": "tool", "content": "d"}, {"role": "user", "content": "e"}])");
  EXPECT_TRUE(rendered("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}")
                  .ends_with("[user]a[assistant]b\n<tool_call>\n{\"name\": \"ring\", \"arguments\": {\"n\":1}}\n"
                             "</tool_call>[user]<tool_response>\nc\n</tool_response>\n<tool_response>\nd\n"
                             "</tool_response>\ne"));
}

TEST_F(ModelTextTest, UsesTheGivenTemplateInsteadOfItsOwn) {
  add_tokenizer();
  add_templates({{{"name", "default"}, {"template", "own"}}, {{"name", "tool_use"}, {"template", "own with tools"}}});
  const ModelText text = read("given {{ messages[0].content }}");
  EXPECT_EQ(text.render(says("hi"))->text, "given hi");
}

TEST_F(ModelTextTest, KeepsSpecialTokensOfTheInputAsText) {
  add_tokenizer();
  add_templates("<|end|>{{ messages[0].content }}<|end|>");
  const ModelText text = read();
  const auto end = text.tokenizer()->vocab().eos;
  ASSERT_TRUE(end);
  const auto n_ends = [&](ChatOptions options) {
    return std::ranges::count(text.encode_chat(says("a<|end|>b"), options).value(), *end);
  };
  EXPECT_EQ(n_ends({}), 2);
  EXPECT_EQ(n_ends({.special_in_input = true}), 3);
  EXPECT_TRUE(text.answer_ends().contains(*end));
}

}  // namespace
}  // namespace ogas
