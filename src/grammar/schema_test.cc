// What schemas allow, and what is refused.
#include <gtest/gtest.h>

#include "grammar/grammar_test_tools.h"

namespace ogas::grammar {
namespace {

struct Case {
  std::string schema;
  std::vector<std::string> valid, invalid;
};

void check(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const auto grammar = compile_json_schema(each.schema);
    ASSERT_TRUE(grammar) << each.schema << ": " << refusal_of(grammar);
    for (const auto& text : each.valid) EXPECT_TRUE(takes(grammar, text)) << each.schema << " " << text;
    for (const auto& text : each.invalid) EXPECT_FALSE(takes(grammar, text)) << each.schema << " " << text;
  }
}

TEST(Schema, AnyJson) {
  check({{"true",
          {"null", "-1.5e-3", R"("a\u00e9\n")", "[]", R"([1, {"a": [true]}])", "{}", R"({"a":1,"b":{}})",
           "{\n  \"a\": 1\n}"},
          {"", "nul", "01", "[1,]", R"({"a":1,})", R"({"a":1,"a":2})", "\"\n\"", R"("\x")", "{\"a\" :1}",
           R"({"a":1,"\u0061":2})"}}});
}

TEST(Schema, Objects) {
  check({
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["b"],
           "additionalProperties":false})",
       {R"({"b":"x"})", R"({"a": 1, "b": "x"})", R"({"b": "", "a": -2})"},
       {"{}", R"({"a":1})", R"({"b":1})", R"({"b":"x","c":1})", R"({"b":"x","b":"y"})"}},
      {R"({"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":{"type":"boolean"}})",
       {R"({"a":null})", R"({"b":true,"a":null,"c":false})", R"({"aa":true})"},
       {R"({"a":true})", R"({"b":null})", R"({"b":true,"b":true})"}},
      {R"({"type":"object","patternProperties":{"^n_":{"type":"number"},"_s$":{"minimum":5}},"minProperties":2,"maxProperties":3,
           "propertyNames":{"maxLength":5}})",
       {R"({"n_a":1,"x":[]})", R"({"n_s":5,"n_":2,"y_s":"text"})"},
       {R"({"n_a":1})", R"({"n_s":4,"x":1})", R"({"n_a":"","b":1})", R"({"a":1,"b":2,"c":3,"d":4})",
        R"({"abcdef":1,"b":1})"}},
      {R"({"type":"object","dependentRequired":{"a":["b"]},"dependentSchemas":{"c":{"maxProperties":1}}})",
       {"{}", R"({"b":1})", R"({"a":1,"b":1})", R"({"b":1,"a":1})", R"({"c":1})"},
       {R"({"a":1})", R"({"c":1,"d":2})", R"({"d":2,"c":1})"}},
      {R"({"type":"object","allOf":[{"properties":{"a":{"type":"integer"}}}],"unevaluatedProperties":false})",
       {"{}", R"({"a":1})"},
       {R"({"b":1})"}},
  });
}

TEST(Schema, Arrays) {
  check({
      {R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2})",
       {"[1]", "[1, 2]"},
       {"[]", "[1,2,3]", "[\"\"]"}},
      {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"null"}],"items":false})",
       {"[]", "[\"a\"]", "[\"a\",null]"},
       {"[null]", "[\"a\",null,1]"}},
      {R"({"type":"array","contains":{"type":"string"},"minContains":2,"maxContains":3})",
       {R"(["a","b"])", R"([1,"a",2,"b",3,"c"])"},
       {"[]", R"(["a",1])", R"(["a","b","c","d"])"}},
      {R"({"type":"array","items":{"enum":["a",1,[2]]},"uniqueItems":true,"minItems":2})",
       {R"(["a",1])", R"([[2],"a",1])"},
       {R"(["a"])", R"(["a","a"])", R"([1,[2],1.0])", R"([1,"a",[2],1])"}},
      {R"({"type":"array","items":{"anyOf":[{"$ref":"#/$defs/a"},{"const":"c"}]},"uniqueItems":true,"$defs":{"a":{"enum":["a","b"]}}})",
       {"[]", R"(["c","a","b"])"},
       {R"(["c","a","c"])", R"(["d"])"}},
      {R"({"not":{"items":{"enum":[1,2]},"uniqueItems":true},"type":"array"})",
       {"[1,1]", "[3]", "[1,2,2]"},
       {"[]", "[1]", "[2,1]"}},
      {R"({"type":"array","not":{"items":{"type":"integer"}}})", {"[null]", "[1,2.5]"}, {"[]", "[1]", "[1,2]"}},
      {R"({"items":[{"const":1}],"additionalItems":{"const":2},"type":"array"})",
       {"[]", "[1]", "[1,2,2]"},
       {"[2]", "[1,1]"}},
  });
}

TEST(Schema, StringsAndNumbers) {
  check({
      {R"({"type":"string","minLength":2,"maxLength":3,"pattern":"^[a-z\u00e9]+$"})",
       {R"("ab")", "\"\xC3\xA9\xC3\xA9\"", R"("\u00e9ab")"},
       {R"("a")", R"("abcd")", R"("AB")", R"("\u0061b")"}},
      {R"({"type":"string","pattern":"^\\S+\\n$"})", {R"("a\n")"}, {R"("a")", "\"a\n\""}},
      {R"({"type":"string","format":"date"})",
       {R"("2024-02-29")", R"("2000-02-29")"},
       {R"("2023-02-29")", R"("1900-02-29")", R"("2024-13-01")", R"("2024-04-31")"}},
      {R"({"type":"string","format":"no-such-format"})", {R"("anything")"}, {"1"}},
      {R"({"type":"integer","minimum":-5,"exclusiveMaximum":120})",
       {"-5", "0", "119", "7.0"},
       {"-6", "120", "7.5", "1e1"}},
      {R"({"type":"number","multipleOf":0.05,"maximum":1})", {"0.05", "1.00", "-3.15", "0"}, {"0.01", "1.05", "0.051"}},
      {R"({"type":"number","exclusiveMinimum":0})", {"1e-06", "0.1", "2.5E+10"}, {"0", "-1e-6", "0.0"}},
      {R"({"allOf":[{"multipleOf":4},{"multipleOf":6},{"not":{"multipleOf":24}}],"type":"integer","minimum":1,"maximum":40})",
       {"12", "36"},
       {"24", "4", "0", "48"}},
  });
}

TEST(Schema, Logic) {
  check({
      {R"({"anyOf":[{"type":"string"},{"type":"integer","minimum":3}]})", {"\"\"", "3"}, {"2", "null"}},
      {R"({"oneOf":[{"type":"integer","multipleOf":3},{"type":"integer","multipleOf":5}]})",
       {"3", "10"},
       {"15", "0", "4"}},
      {R"({"oneOf":[{"type":"object","required":["a"]},{"type":"object","required":["b"]}]})",
       {R"({"a":1})", R"({"b":1,"c":2})"},
       {"{}", R"({"a":1,"b":2})", R"({"b":1,"a":2})"}},
      {R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"x"},"v":{"type":"integer"}},"required":["kind","v"]},
           {"type":"object","properties":{"kind":{"const":"y"},"v":{"type":"string"}},"required":["kind","v"]}]})",
       {R"({"kind":"x","v":1})", R"({"v":"s","kind":"y"})"},
       {R"({"kind":"x","v":"s"})", R"({"v":1,"kind":"y"})"}},
      {R"({"not":{"type":["string","object"]}})", {"1", "[]", "null"}, {"\"\"", "{}"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"t":{"enum":["u","v"]}},"required":["t"],
           "if":{"properties":{"t":{"const":"u"}}},"then":{"required":["a"]},"else":{"not":{"required":["a"]}}})",
       {R"({"t":"u","a":1})", R"({"a":1,"t":"u"})", R"({"t":"v"})"},
       {R"({"t":"u"})", R"({"t":"v","a":1})", R"({"a":1,"t":"v"})"}},
      {R"({"enum":[1,"one",null,[1,{"a":2}]]})",
       {"1", "1.0", "\"one\"", "null", R"([1,{"a":2}])"},
       {"2", "[1]", R"([1,{"a":3}])"}},
      {R"({"allOf":[{"type":"object","properties":{"a":{"type":"number"}}},{"properties":{"a":{"minimum":2}},"required":["a"]}]})",
       {R"({"a":2})"},
       {R"({"a":1})", "{}"}},
      {R"({"not":{"enum":[[],{}]}})", {"[1]", "1", R"({"a":1})"}, {"[]", "{}"}},
      {R"({"type":"object","not":{"patternProperties":{"^x":{"type":"string"}}}})",
       {R"({"xa":1})", R"({"a":"","xb":null})"},
       {"{}", R"({"xa":"s"})"}},
  });
}

TEST(Schema, References) {
  check({
      {R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"v":{"type":"integer"}},
           "required":["v"],"additionalProperties":false}}})",
       {R"({"v":1})", R"({"v":1,"next":{"v":2,"next":{"v":3}}})"},
       {R"({"next":{"v":1}})", R"({"v":1,"next":{}})"}},
      {R"({"$id":"http://x/y.json","$defs":{"a":{"$id":"z.json","$anchor":"n","type":"null"}},"items":{"$ref":"z.json"},"type":"array",
           "contains":{"$ref":"http://x/z.json#n"}})",
       {"[null]"},
       {"[]", "[1]"}},
      // What is next to a $ref counts from 2019-09 on.
      {R"({"$ref":"#/$defs/i","minimum":3,"$defs":{"i":{"type":"integer"}}})", {"3"}, {"2"}},
      {R"({"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/i","minimum":3,
           "definitions":{"i":{"type":"integer"}}})",
       {"2", "3"},
       {"\"\""}},
  });
}

TEST(Schema, IsRefusedWithItsPointerAndReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"properties":{"a/b":{"pattern":"(a)\\1"}}})",
       "at '#/properties/a~1b/pattern': the pattern '(a)\\1' uses a back reference"},
      {R"({"type":"array","uniqueItems":true})", "at '#/uniqueItems': 'uniqueItems' is not supported"},
      {R"({"$ref":"other.json"})", "at '#/$ref': the reference 'other.json' leads to another document"},
      {R"({"$ref":"#/nowhere"})", "at '#/$ref': the reference '#/nowhere' leads to nothing"},
      {R"({"type":"strnig"})", "at '#/type': 'strnig' is not a type"},
      {R"({"type":"object","required":["a"],"properties":{"a":false}})", "no JSON value satisfies it"},
      {R"({"$ref":"#"})", "a reference leads back to itself"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "refers to itself"},
      {"{\"a\":1,\"a\":2}", "occurs twice"},
      {"{", "it is not JSON"},
      {R"({"required":"a"})", "at '#/required': it is a string, not an array of names"},
      {R"({"$defs":{"n":{"type":"object","required":["n"],"properties":{"n":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"})",
       "no JSON value satisfies it"},
  };
  for (const auto& [schema, reason] : cases)
    EXPECT_NE(refusal_of(compile_json_schema(schema)).find(reason), std::string::npos)
        << schema << ": " << refusal_of(compile_json_schema(schema));
}

TEST(Schema, IdentifiersCountInSchemasOnly) {
  check({
      // An $id inside a keyword that is not known is not an identifier.
      {R"({"anyOf":[{"$ref":"http://x/a"},{"$id":"http://x/a","type":"null"}],"unknown":{"$id":"http://x/a","type":"string"}})",
       {"null"},
       {"\"\""}},
      // Up to draft 7, neither is one next to a $ref.
      {R"({"$schema":"http://json-schema.org/draft-07/schema#","$id":"http://x/root","allOf":[{"$id":"http://y/","$ref":"#/definitions/s"}],
           "definitions":{"s":{"type":"string"}}})",
       {"\"\""},
       {"1"}},
  });
}

// What would take long is refused after a number of steps, at once or by the matcher.
TEST(Schema, CostlySchemasAreRefused) {
  const std::vector<std::string> schemas = {
      R"({"allOf":[{"pattern":"a.{15}b"},{"pattern":"c.{17}d"},{"not":{"pattern":"e.{12}f"}}],"type":"string"})",
      R"({"type":"array","contains":{"type":"string"},"minContains":1000000000})",
      R"({"allOf":[{"multipleOf":999983},{"multipleOf":999979},{"multipleOf":999961}],"type":"integer"})",
  };
  for (const std::string& schema : schemas) EXPECT_NE(refusal_of(compile_json_schema(schema)), "") << schema;
  const auto grammar = compile_json_schema(R"({"type":"string","pattern":"a.{200}$"})");
  GrammarMatcher matcher(*grammar, make_test_trie());
  std::string text = "\"";
  while (text.size() < 500) text += "ab";
  const auto taken = matcher.accept_bytes(text);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::unsupported) << taken.error().message;
  EXPECT_FALSE(matcher.accept_bytes("a"));  // it allows nothing further
}

TEST(Schema, PlainIntegersHaveNoPoint) {
  const SchemaOptions plain{.plain_integers = true};
  EXPECT_TRUE(takes(compile_json_schema(R"({"type": "integer"})"), "20.0"));
  EXPECT_FALSE(takes(compile_json_schema(R"({"type": "integer"})", plain), "20.0"));
  EXPECT_TRUE(takes(compile_json_schema(R"({"type": ["integer", "string"], "minimum": 3})", plain), "20"));
  EXPECT_TRUE(takes(compile_json_schema(R"({"type": "number"})", plain), "20.0"));
}

TEST(Schema, LenientLeavesOutWhatCannotBeEnforced) {
  EXPECT_TRUE(takes(compile_json_schema(R"({"x-ogas-lenient":true,"type":"string","pattern":"(a)\\1"})"), "\"b\""));
  EXPECT_TRUE(takes(compile_json_schema(R"({"type":"string","pattern":"(a)\\1"})", {.is_lenient = true}), "\"b\""));
}

TEST(Schema, LayoutIsBounded) {
  const std::string schema = R"({"type":"object","properties":{"a":{},"b":{}},"required":["a"]})";
  const auto compact = compile_json_schema(schema, {.has_spaces = false});
  EXPECT_TRUE(takes(compact, R"({"a":1,"b":[1,2]})"));
  EXPECT_FALSE(takes(compact, R"({"a": 1})"));
  const auto spaced = compile_json_schema(schema);
  EXPECT_TRUE(takes(spaced, "{\n  \"a\": [\n    1,\n    2\n  ]\n}"));
  EXPECT_FALSE(takes(spaced, R"({"a":  1})"));
  EXPECT_FALSE(takes(spaced, "{\n\n\"a\":1}"));
  const auto ordered = compile_json_schema(schema, {.keeps_order = true});
  EXPECT_TRUE(takes(ordered, R"({"a":1,"b":2,"c":3})"));
  EXPECT_FALSE(takes(ordered, R"({"b":2,"a":1})"));
  EXPECT_FALSE(takes(ordered, R"({"a":1,"c":3,"b":2})"));
}

// No beginning that is allowed leads nowhere.
TEST(Schema, HasNoDeadEnds) {
  const auto grammar = compile_json_schema(
      R"({"type":"object","properties":{"a":{"type":"integer","minimum":100,"maximum":102,"multipleOf":7}, "b":{"type":"null"}},
          "maxProperties":2,"minProperties":1,"required":["b"],"patternProperties":{"^[xy]$":{"type":"boolean"}},"additionalProperties":false})");
  EXPECT_TRUE(takes(grammar, R"({"b":null,"x":true})"));
  EXPECT_TRUE(takes(grammar, R"({"x":true,"b":null})"));
  EXPECT_FALSE(takes(grammar, R"({"x":true,"y":true,"b":null})"));
  const auto trie = make_test_trie();
  std::vector<uint32_t> bits(trie->n_words());
  GrammarMatcher matcher(*grammar, trie);
  ASSERT_TRUE(matcher.accept_bytes(R"({"x":true,")"));
  ASSERT_TRUE(matcher.mask(bits));
  for (int byte = 0; byte < 256; ++byte)  // only "b" leads on
    EXPECT_EQ(mask_has(bits, byte), byte == 'b') << byte;
}

}  // namespace
}  // namespace ogas::grammar
