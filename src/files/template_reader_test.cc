#include "files/template_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

#include "files/gguf.h"
#include "files/gguf_test_writer.h"

namespace ogas {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(TemplateReader, ReadsTheKeysOfAGguf) {
  const auto bytes = test::TestGguf{.keys = {{"tokenizer.chat_template", test::string("plain")},
                                             {"tokenizer.chat_template.tool_use", test::string("tools")},
                                             {"tokenizer.chat_templates", test::strings({"tool_use"})}}}
                         .write();
  const auto file = parse_gguf(test::as_bytes(bytes));
  ASSERT_TRUE(file) << file.error().message;
  const auto templates = read_chat_templates(file->metadata);
  ASSERT_TRUE(templates) << templates.error().message;
  EXPECT_THAT(*templates, ElementsAre(Pair("default", "plain"), Pair("tool_use", "tools")));
}

class TemplateFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / ("ogas_templates_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "additional_chat_templates");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  std::filesystem::path folder_;
};

TEST_F(TemplateFolder, ReadsFilesBeforeTheConfiguration) {
  EXPECT_THAT(read_chat_templates(folder_).value(), IsEmpty());
  write("tokenizer_config.json", R"({"chat_template": "configured"})");
  EXPECT_THAT(read_chat_templates(folder_).value(), ElementsAre(Pair("default", "configured")));
  write("tokenizer_config.json",
        R"({"chat_template": [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]})");
  EXPECT_THAT(read_chat_templates(folder_).value(), ElementsAre(Pair("default", "a"), Pair("rag", "b")));
  write("chat_template.jinja", "file");
  write("additional_chat_templates/tool_use.jinja", "tools");
  EXPECT_THAT(read_chat_templates(folder_).value(), ElementsAre(Pair("default", "file"), Pair("tool_use", "tools")));
}

TEST_F(TemplateFolder, RefusesOtherShapes) {
  for (const char* config :
       {"{", "[]", R"({"chat_template": 1})", R"({"chat_template": [1]})", R"({"chat_template": [{"name": "a"}]})",
        R"({"chat_template": [{"name": 1, "template": "x"}]})",
        R"({"chat_template": [{"name": "a", "template": ""}, {"name": "a", "template": ""}]})"}) {
    write("tokenizer_config.json", config);
    const auto templates = read_chat_templates(folder_);
    ASSERT_FALSE(templates) << config;
    EXPECT_EQ(templates.error().code, ErrorCode::bad_file);
    EXPECT_THAT(templates.error().message, HasSubstr("tokenizer_config.json"));
  }
  write("chat_template.jinja", std::string(2'000'000, 'x'));
  EXPECT_FALSE(read_chat_templates(folder_));
}

TEST(TemplateReader, ToolsChooseTheirTemplate) {
  const NamedTemplates both = {{"default", "d"}, {"tool_use", "t"}};
  EXPECT_EQ(*choose_chat_template(both, true), "t");
  EXPECT_EQ(*choose_chat_template(both, false), "d");
  const NamedTemplates one = {{"rag", "r"}}, others = {{"rag", "r"}, {"x", "y"}};
  EXPECT_EQ(*choose_chat_template(one, true), "r");
  EXPECT_EQ(choose_chat_template(others, true), nullptr);
  EXPECT_EQ(choose_chat_template({}, false), nullptr);
}

}  // namespace
}  // namespace ogas
