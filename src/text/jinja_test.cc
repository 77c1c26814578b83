// The template language against Python's jinja2 (tools/make_jinja_goldens.py makes the goldens).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "base/file.h"
#include "text/chat_template.h"
#include "text/jinja_interpreter.h"
#include "text/jinja_parser.h"

namespace ogas::jinja {
namespace {

using Json = nlohmann::ordered_json;

Json read_json(const std::string& path) {
  const auto text = read_file(path);
  EXPECT_TRUE(text) << text.error().message;
  return Json::parse(text.value_or("null"), nullptr, /*allow_exceptions=*/false);
}

// The rendered text, or the failure's message in `failure`.
std::optional<std::string> render(const std::string& source, const Json& data, const std::string& date,
                                  std::string& failure) {
  try {
    const Program program = parse_template(source);
    Interpreter interpreter;
    interpreter.fixed_date = date;
    for (const auto& [key, value] : data.items()) interpreter.globals().variables[key] = Value::from_json(value, true);
    return interpreter.render(program).bytes();
  } catch (const Failure& error) {
    failure = error.message;
    return {};
  }
}

TEST(Jinja, DoesWhatJinja2Does) {
  const Json goldens = read_json("tests/data/text/jinja_cases.json");
  size_t n_cases = 0;
  for (const Json& golden : goldens["cases"]) {
    const auto source = golden["template"].get<std::string>();
    std::string failure;
    const auto actual = render(source, goldens["data"], goldens["date"], failure);
    ++n_cases;
    if (golden["output"].is_null())
      EXPECT_FALSE(actual) << source << "\ngave " << *actual << "\nbut jinja2 fails";
    else
      EXPECT_EQ(actual, golden["output"].get<std::string>()) << source << "\n" << failure;
  }
  EXPECT_GT(n_cases, 90U);
}

std::string fnv1a(std::string_view text) {
  uint64_t value = 0xCBF29CE484222325;
  for (const char c : text) value = (value ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return fmt::format("{:016x}", value);
}

TEST(Jinja, RendersPublishedTemplates) {
  const Json goldens = read_json("tests/data/text/chat_templates.json");
  size_t n_same = 0, n_all = 0;
  for (const auto& [name, outputs] : goldens["templates"].items()) {
    const auto source = read_file("../shared/templates/" + name);
    ASSERT_TRUE(source) << source.error().message;
    for (size_t idx = 0; idx < outputs.size(); ++idx) {
      Json data = {{"tools", nullptr}, {"documents", nullptr}, {"bos_token", "<BOS>"}, {"eos_token", "<EOS>"}};
      data.update(goldens["conversations"][idx]);
      std::string failure;
      const auto actual = render(*source, data, goldens["date"], failure);
      const Json result = actual ? Json{actual->size(), fnv1a(*actual)} : Json(nullptr);
      ++n_all;
      n_same += result == outputs[idx];
      EXPECT_EQ(result, outputs[idx]) << name << ", conversation " << idx << "\n" << failure;
    }
  }
  EXPECT_GT(n_all, 300U);
  RecordProperty("same", static_cast<int>(n_same));
}

// Hostile templates end with an error, whatever they try; the bounds are on steps and bytes, not on time.
TEST(Jinja, HostileTemplatesEnd) {
  const std::string deep_list(100'000, '[');
  const std::string deep_parentheses(100'000, '(');
  std::string deep_blocks, deep_not;
  for (int idx = 0; idx < 10'000; ++idx) {
    deep_blocks += "{% if true %}";
    deep_not += "not ";
  }
  for (const std::string& source :
       {std::string("{% for i in range(10 ** 15) %}x{% endfor %}"), std::string("{{ 'x' * 10 ** 12 }}"),
        std::string("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
        std::string("{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"),
        std::string("{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}"),
        std::string(
            "{% set ns = namespace(l=[]) %}{% for i in range(900) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}"),
        std::string(
            "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}"
            "{% endfor %}"),
        std::string("{{ ('x' * 1000000).replace('', 'y' * 1000) }}"), std::string("{{ ('x' * 1000000)|list|length }}"),
        std::string("{{ 9223372036854775807 + 1 }}"), std::string("{{ 99999999999999999999 }}"),
        std::string("{{ ('a,' * 1000000).split(',') | map('upper') | list | unique | list }}"),
        std::string(
            "{% set x %}{% for i in range(100000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "{% endfor %}{% endset %}"),
        "{{ " + deep_list, "{{ " + deep_parentheses, deep_blocks, "{{ " + deep_not + "1 }}",
        std::string("{{ 'a'|tojson(indent=x) }}"),
        std::string("{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}")}) {
    std::string failure;
    EXPECT_FALSE(render(source, Json::object(), "", failure)) << source.substr(0, 100);
    EXPECT_FALSE(failure.empty());
  }
}

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
}

}  // namespace
}  // namespace ogas::jinja
