// The template language against Python's jinja2 (tools/make_jinja_goldens.py makes the goldens).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace ogas::jinja {
namespace {

using Json = nlohmann::ordered_json;

Json read_json(const std::string& path) {
  const auto text = read_file(path);
  EXPECT_TRUE(text) << text.error().message;
  return Json::parse(text.value_or("null"), nullptr, /*allow_exceptions=*/false);
}

// The rendered text, or the failure's message in `failure`.
std::optional<Text> render_text(const std::string& source, const Json& data, const std::string& date,
                                std::string& failure) {
  try {
    const Program program = parse_template(source);
    Interpreter interpreter;
    interpreter.fixed_date = date;
    for (const auto& [key, value] : data.items()) interpreter.globals().variables[key] = Value::from_json(value, true);
    return interpreter.render(program);
  } catch (const Failure& error) {
    failure = error.message;
    return {};
  }
}

std::optional<std::string> render(const std::string& source, const Json& data, const std::string& date,
                                  std::string& failure) {
  const auto text = render_text(source, data, date, failure);
  return text ? std::optional(text->bytes()) : std::nullopt;
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

// Whether all of the text's Ωs lie in what came from the input; the goldens' templates have none of their own.
bool marks_input(const Text& text) {
  constexpr std::string_view kOmega = "\u03A9";
  for (size_t at = text.bytes().find(kOmega); at != std::string::npos; at = text.bytes().find(kOmega, at + 1)) {
    const auto holds = [&](const ByteRange& range) { return range.begin <= at && range.end >= at + kOmega.size(); };
    if (std::ranges::none_of(text.input(), holds)) return false;
  }
  return true;
}

// A difference is shown by tools/make_jinja_goldens.py --show.
TEST(Jinja, RendersPublishedTemplates) {
  const Json goldens = read_json("tests/data/text/chat_templates.json");
  size_t n_all = 0, n_with_input = 0;
  for (const auto& [name, outputs] : goldens["templates"].items()) {
    const auto source = read_file("tests/data/text/templates/" + name);
    ASSERT_TRUE(source) << source.error().message;
    for (size_t idx = 0; idx < outputs.size(); ++idx) {
      Json data = {{"tools", nullptr}, {"documents", nullptr}, {"bos_token", "<BOS>"}, {"eos_token", "<EOS>"}};
      data.update(goldens["conversations"][idx]);
      std::string failure;
      const auto actual = render_text(*source, data, goldens["date"], failure);
      const Json result = actual ? Json{actual->size(), fnv1a(actual->bytes())} : Json(nullptr);
      ++n_all;
      EXPECT_EQ(result, outputs[idx]) << name << ", conversation " << idx << "\n" << failure;
      if (!actual) continue;
      EXPECT_TRUE(marks_input(*actual)) << name << ", conversation " << idx;
      n_with_input += actual->has_input();
    }
  }
  EXPECT_EQ(n_all, 70U * 18U);
  EXPECT_GT(n_with_input, 900U);
}

// Hostile templates end with an error, whatever they try. The bounds are on steps and bytes; what that comes to in
// milliseconds, bench/jinja_bench.py shows.
TEST(Jinja, HostileTemplatesEnd) {
  size_t n_templates = 0;
  const Json templates = read_json("tests/data/text/hostile_templates.json");
  for (const auto& [name, parts] : templates.items()) {
    std::string source, failure;
    for (const Json& part : parts)
      for (int64_t idx = 0; idx < part[1].get<int64_t>(); ++idx) source += part[0].get<std::string>();
    EXPECT_FALSE(render(source, Json::object(), "", failure)) << name;
    EXPECT_FALSE(failure.empty()) << name;
    ++n_templates;
  }
  EXPECT_GT(n_templates, 50U);
}

TEST(Jinja, KeepsWithinItsBounds) {
  const Program program = parse_template("{% for i in range(1000) %}{{ 'x' * 100 }}{% endfor %}");
  for (const Limits& limits : {Limits{.n_steps = 500}, Limits{.n_bytes = 50'000}, Limits{.depth = 2}}) {
    Interpreter interpreter(limits);
    EXPECT_THROW(interpreter.render(program), Failure);
    EXPECT_LE(interpreter.n_bytes(), limits.n_bytes);
    EXPECT_LE(interpreter.n_steps(), limits.n_steps + 1);
  }
  EXPECT_EQ(Interpreter().render(program).size(), 100'000U);
  // Blocks count as calls and expressions do.
  const Program nested = parse_template("{% if true %}{% if true %}{% if true %}x{% endif %}{% endif %}{% endif %}");
  EXPECT_THROW(Interpreter({.depth = 3}).render(nested), Failure);
  EXPECT_EQ(Interpreter({.depth = 4}).render(nested).bytes(), "x");
}

// Chat templates stay well below the limits on a long conversation: 200 messages, 2 MB.
TEST(Jinja, LongConversationsFit) {
  Json data = {{"tools", nullptr},     {"documents", nullptr},          {"bos_token", "<BOS>"},
               {"eos_token", "<EOS>"}, {"add_generation_prompt", true}, {"messages", Json::array()}};
  for (int turn = 0; turn < 200; ++turn) {
    std::string content;
    while (content.size() < 10'400) content += fmt::format("Message {} of Zo\u00EB's.\n", turn);
    data["messages"].push_back({{"role", turn % 2 == 0 ? "user" : "assistant"}, {"content", content}});
  }
  Limits limits;
  limits.n_steps = limits.n_steps * 9 / 10;
  limits.n_bytes /= 2;
  size_t n_long = 0;
  const Json goldens = read_json("tests/data/text/chat_templates.json");
  ASSERT_EQ(goldens["long"].size(), 70U);
  for (const auto& [name, output] : goldens["long"].items()) {
    const auto source = read_file("tests/data/text/templates/" + name);
    ASSERT_TRUE(source) << source.error().message;
    const Program program = parse_template(*source);
    Interpreter interpreter(limits);
    for (const auto& [key, value] : data.items()) interpreter.globals().variables[key] = Value::from_json(value, true);
    interpreter.fixed_date = goldens["date"];
    Json result;
    std::string failure;
    try {
      const Text text = interpreter.render(program);
      result = {text.size(), fnv1a(text.bytes())};
      n_long += text.size() > 1'000'000;
    } catch (const Failure& error) {
      failure = error.message;
    }
    EXPECT_EQ(result, output) << name << "\n" << failure;
  }
  EXPECT_GE(n_long, 60U);
}

TEST(Jinja, BudgetCounts) {
  Budget budget({.n_steps = 100, .n_bytes = 90'000});
  const Memory::Use use(budget.memory());
  {
    const Memory::Statement statement(budget.memory());
    budget.spend(40'960);
    EXPECT_EQ(budget.n_steps(), 40U);
    EXPECT_THROW(budget.spend(50'000), Failure);
  }
  budget.spend(40, 1'000);  // the statement's are gone
  EXPECT_THROW(budget.spend(90'000, size_t{1} << 60), Failure);
  Held held(50'000);  // 40,000 of them are those just made
  EXPECT_THROW(Held(50'000), Failure);
  held.resize(10'000);
  EXPECT_NO_THROW(Held(80'000));
  EXPECT_EQ(budget.n_bytes(), 90'000U);
  EXPECT_THROW(budget.step(100), Failure);
}

// What is freed counts no longer, and what is held does: each template once within its bytes and once past them.
TEST(Jinja, BytesCountWhileTheyExist) {
  const std::pair<const char*, const char*> cases[] = {
      {"{% for i in range(2000) %}{% set x = 'x' * 5000 %}{% endfor %}",
       "{% set ns = namespace(l=[]) %}{% for i in range(100) %}{% set ns.l = ns.l + ['x' * 5000] %}{% endfor %}"},
      {"{% for i in range(2000) if ('x' * 5000) ~ i %}{% endfor %}",
       "{% set ns = namespace(l=0) %}{% for i in range(100) %}{% set ns.l = [ns.l, 'x' * 5000] %}{% endfor %}"},
      {"{% for i in range(2000) %}{% set x %}{{ 'x' * 5000 }}{% endset %}{% endfor %}",
       "{% for i in range(100) %}{{ 'x' * 5000 }}{% endfor %}"},
      {"{{ range(2000)|map('center', 5000)|map('length')|sum }}", "{{ range(100)|map('center', 5000)|list|length }}"},
      {"{% for i in range(2000) %}{% set d = {'k': i|string * 2000} %}{% endfor %}",
       "{% for i in range(100) %}{% set s = 'x' * 5000 %}{% macro m() %}{{ s }}{% endmacro %}{% endfor %}"},
      {"{% macro m() %}{{ 'x' * 5000 }}{% endmacro %}{% for i in range(2000) %}{% if m() %}{% endif %}{% endfor %}",
       "{% macro m(n) %}{% set s = 'x' * 9000 %}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(50) }}"},
      {"{% for i in range(100) %}{% macro m() %}{% endmacro %}{% endfor %}",
       "{% for i in range(500) %}{% macro m() %}{% endmacro %}{% endfor %}"},
      {"{% for i in range(2000) %}{% for j in range(100) %}{% endfor %}{% endfor %}",
       "{% for i in range(500) %}{% for j in range(20) %}{% if loop.last %}{% endif %}{% endfor %}{% endfor %}"},
  };
  const Limits limits{.n_bytes = 250'000};
  for (const auto& [fits, exceeds] : cases) {
    const Program small = parse_template(fits), large = parse_template(exceeds);
    EXPECT_NO_THROW(Interpreter(limits).render(small)) << fits;
    Interpreter interpreter(limits);
    EXPECT_THROW(interpreter.render(large), Failure) << exceeds;
    EXPECT_LE(interpreter.n_bytes(), limits.n_bytes);
    EXPECT_NO_THROW(Interpreter().render(large)) << exceeds;
  }
}

// A text that grows in a loop takes time in proportion to its length: copying it each time would be past all steps.
TEST(Jinja, TextsGrowInPlace) {
  for (const char* source :
       {"{% set ns = namespace(s='x' * 1000000) %}{% for i in range(9999) %}{% set ns.s = ns.s ~ i ~ 'y' %}{% endfor %}"
        "{{ ns.s|length }}",
        "{% for j in [1] %}{% set s = 'x' * 1000000 %}{% for i in [1] %}{% set s = s ~ 'y' %}{% set s = s ~ 'y' %}{{ "
        "s|length "
        "}}{% endfor %}{{ s|length }}{% endfor %}"}) {
    std::string failure;
    const auto text = render(source, Json::object(), "", failure);
    EXPECT_TRUE(text) << failure;
    EXPECT_TRUE(text == "1048885" || text == "10000021000000") << text.value_or("");
  }
}

TEST(Jinja, WhatPythonPrintsAnAddressForIsRefused) {
  for (const char* source : {"{{ range }}", "{{ 'a'.upper }}", "{{ [1]|map('string') }}", "{{ [{}.get] }}",
                             "{{ 'x' ~ namespace(a=1) }}", "{{ '%s' % 'a'.upper }}"}) {
    std::string failure;
    EXPECT_FALSE(render(source, Json::object(), "", failure)) << source;
    EXPECT_THAT(failure, testing::HasSubstr("cannot be printed")) << source;
  }
}

// What happens to strings of the input, and where the marks go: [x] is how input shows.
TEST(Jinja, MarksFollowTheInput) {
  const Json data = {{"s", "ab"}, {"pad", "  a b "}, {"list", {"x", "y"}}, {"d", {{"k", "v"}}}};
  const std::pair<const char*, const char*> cases[] = {
      {"<{{ s }}>", "<[ab]>"},
      {"{{ 'x' ~ s ~ 'y' + s }}", "x[ab]y[ab]"},
      {"{{ s[1:] }}{{ s[0] }}{{ ('<' ~ s ~ '>')[1:3] }}{{ s[::-1] }}", "[baabba]"},
      {"{{ pad|trim }}|{{ pad.strip() }}|{{ ('-' ~ pad).lstrip('- ') }}", "[a b]|[a b]|[a b ]"},
      {"{{ s.replace('a', 'x') }} {{ 'a-b'.replace('-', s) }}", "x[b] a[ab]b"},
      {"{{ s|upper }}{{ ('x' ~ s)|title }}{{ s.capitalize() }}", "[AB]X[abAb]"},
      {"{{ list|join(', ') }} {{ ','.join(list) }} {{ list|join(s) }}", "[x], [y] [x],[y] [xaby]"},
      {"{{ d|tojson }} {{ [s, 'c'] }}", "{\"[k]\": \"[v]\"} ['[ab]', 'c']"},
      {"{{ '%s=%5s' % (s, 'q') }} {{ '{}|{:>3}'.format(s, s) }} {{ s.format() }}", "[ab]=    q [ab]| [ab] [ab]"},
      {"{% for c in s %}({{ c }}){% endfor %}{% for k, v in d.items() %}{{ k }}:{{ v }}{% endfor %}",
       "([a])([b])[k]:[v]"},
      {"{% set x %}<{{ s }}>{% endset %}{{ x }}{{ x|length }}", "<[ab]>4"},
      {"{% macro m(a) %}<{{ a }}{{ caller() if caller }}>{% endmacro %}{{ m(s) }}{% call m('q') %}{{ s }}{% endcall %}",
       "<[ab]><q[ab]>"},
      {"{{ 'x,y'.split(',')|first }}{{ pad.split()|last }}{{ s * 2 }}{{ 'z' * 2 }}", "x[babab]zz"},
      {"{{ s|indent(2, true) }}{{ s|e }}{{ s|center(4) }}{{ s|default('n') }}{{ missing|default(s) }}",
       "  [abab] [ab] [abab]"},
  };
  for (const auto& [source, expected] : cases) {
    std::string failure, shown;
    const auto text = render_text(source, data, "", failure);
    ASSERT_TRUE(text) << source << failure;
    text->for_each_run([&](std::string_view run, bool is_input) {
      shown += is_input ? "[" + std::string(run) + "]" : std::string(run);
    });
    EXPECT_EQ(shown, expected) << source;
  }
}

}  // namespace
}  // namespace ogas::jinja
