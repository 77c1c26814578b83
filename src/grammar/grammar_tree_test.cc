#include "grammar/grammar_tree.h"

#include <gtest/gtest.h>

#include "grammar/grammar_test_tools.h"

namespace ogas::grammar {
namespace {

GrammarTree tree_of(GrammarNode root, std::vector<std::string> schemas = {}) {
  GrammarTree result;
  result.rules.push_back({.name = "root", .body = std::move(root), .is_defined = true});
  for (std::string& schema : schemas) result.schemas.push_back({.text = std::move(schema)});
  return result;
}

bool tree_takes(GrammarNode root, std::string_view text, std::vector<std::string> schemas = {}) {
  return takes(compile_tree(tree_of(std::move(root), std::move(schemas))), text);
}

TEST(GrammarTree, FreeTextEndsAtAMark) {
  const GrammarNode root = tree::sequence({tree::free_text({"<call>", "<x>"}), tree::literal("<call>!")});
  EXPECT_TRUE(tree_takes(root, "<call>!"));
  EXPECT_TRUE(tree_takes(root, "a < b, <cal and <call<call>!"));
  EXPECT_FALSE(tree_takes(root, "a <call>b"));
  EXPECT_FALSE(tree_takes(root, "a <x>"));
  EXPECT_FALSE(tree_takes(root, "a"));
  EXPECT_FALSE(tree_takes(root, "\xFF"));
}

TEST(GrammarTree, JsonStandsAnywhere) {
  const GrammarNode root = tree::repeat(tree::sequence({tree::literal("["), tree::json(0), tree::literal("]")}), 1, 2);
  const std::vector<std::string> schemas = {R"({"type": "object", "additionalProperties": {"type": "integer"}})"};
  EXPECT_TRUE(tree_takes(root, R"([{"a": 1}])", schemas));
  EXPECT_TRUE(tree_takes(root, R"([{"a": 1, "b": 2}][{}])", schemas));
  EXPECT_FALSE(tree_takes(root, R"([{"a": "1"}])", schemas));
  EXPECT_FALSE(tree_takes(root, R"([{"a": 1, "a": 2}])", schemas));
  EXPECT_FALSE(tree_takes(root, R"([{}][{}][{}])", schemas));
}

// Two schemas, each with references of its own, and a part of one.
TEST(GrammarTree, PartsOfSchemas) {
  const std::vector<std::string> schemas = {
      R"({"properties": {"a/b": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}})",
      R"({"$defs": {"n": {"type": "null"}}, "$ref": "#/$defs/n"})"};
  const GrammarNode root = tree::sequence({tree::json(0, "/properties/a~1b"), tree::literal(" "), tree::json(1)});
  EXPECT_TRUE(tree_takes(root, "[[], [[]]] null", schemas));
  EXPECT_FALSE(tree_takes(root, "[[], [null]] null", schemas));
  EXPECT_FALSE(tree_takes(root, "[] []", schemas));
  const auto missing = compile_tree(tree_of(tree::json(0, "/properties/c"), schemas));
  EXPECT_EQ(refusal_of(missing), "'#/properties/c' is not in this schema");
}

TEST(GrammarTree, RawStrings) {
  const std::vector<std::string> schemas = {
      R"({"properties": {"s": {"type": "string"}, "n": {"type": "integer"},
                         "e": {"enum": ["a\"b", "</v>", 7]}, "p": {"type": "string", "pattern": "^\\d{2}\n$"}}})"};
  const auto value = [](const std::string& name) {
    return tree::sequence({tree::raw_string(0, "/properties/" + name, {"</v>"}), tree::literal("</v>")});
  };
  EXPECT_TRUE(tree_takes(value("s"), "two\nlines, a \" and a \\n</v>", schemas));
  EXPECT_TRUE(tree_takes(value("s"), "</v>", schemas));
  EXPECT_FALSE(tree_takes(value("s"), "a</v></v>", schemas));
  EXPECT_TRUE(tree_takes(value("e"), "a\"b</v>", schemas));
  EXPECT_FALSE(tree_takes(value("e"), "</v></v>", schemas));  // the mark would end it
  EXPECT_FALSE(tree_takes(value("e"), "7</v>", schemas));
  EXPECT_TRUE(tree_takes(value("p"), "42\n</v>", schemas));
  EXPECT_FALSE(tree_takes(value("p"), "42\\n</v>", schemas));
  // Where no string is allowed the alternative is not there; alone it is refused.
  EXPECT_TRUE(tree_takes(tree::alternatives({value("n"), tree::json(0, "/properties/n")}), "12", schemas));
  EXPECT_EQ(refusal_of(compile_tree(tree_of(value("n"), schemas))), "the rule 'root' matches no text that ends");
}

TEST(GrammarTree, JsonWithMarksOfItsOwn) {
  GrammarNode value = tree::json(0);
  value.children = {tree::literal("<q>")};
  value.marks = {U"<q>"};
  GrammarTree grammar = tree_of(value);
  grammar.schemas = {{.text = R"({"properties": {"s": {"type": "string", "maxLength": 5}},
                                 "additionalProperties": {"type": ["null", "boolean"]}})",
                      .options = {.has_spaces = false, .words = SchemaOptions::Words::json_with_none}}};
  const auto compiled = compile_tree(grammar);
  EXPECT_TRUE(takes(compiled, R"({s:<q>a"b\n<q>,x_1:true,y:None})"));
  EXPECT_TRUE(takes(compiled, R"([<q>a<q>])"));
  EXPECT_FALSE(takes(compiled, R"({s:<q>abcdef<q>})"));
  EXPECT_FALSE(takes(compiled, R"({s:<q>a<q>b<q>})"));
  EXPECT_FALSE(takes(compiled, R"({x:None,x:None})"));
  EXPECT_FALSE(takes(compiled, R"({"s":<q>a<q>})"));
}

TEST(GrammarTree, MembersComeInAnyOrderOnce) {
  GrammarNode members{.kind = GrammarNode::Kind::members};
  for (const char* text : {"a,", "b,", "bb,"}) members.children.push_back(tree::literal(text));
  members.required = {true, false, true};
  EXPECT_TRUE(tree_takes(members, "a,bb,"));
  EXPECT_TRUE(tree_takes(members, "bb,b,a,"));
  EXPECT_FALSE(tree_takes(members, "a,b,"));
  EXPECT_FALSE(tree_takes(members, "a,bb,a,"));
  members.required = {false, false, false};
  EXPECT_TRUE(tree_takes(tree::sequence({members, tree::literal("!")}), "!"));
  members.text = U"; ";
  members.required = {false, false, true};
  EXPECT_TRUE(tree_takes(members, "bb,; a,"));
  EXPECT_FALSE(tree_takes(members, "bb,a,"));
  EXPECT_FALSE(tree_takes(members, "; bb,"));
  EXPECT_FALSE(tree_takes(members, "bb,; "));
}

// A control token is a token of its own: its name as text is not the token.
TEST(GrammarTree, ControlTokens) {
  const GrammarNode root = tree::sequence({tree::control(1), tree::literal("x")});
  const auto grammar = compile_tree(tree_of(root));
  ASSERT_TRUE(grammar);
  const std::vector<std::string_view> texts = {"[A]", "", "x", "", ""};
  const auto trie = std::make_shared<const TokenTrie>(texts, std::vector<TokenId>{3}, std::vector<TokenId>{4, 1});
  GrammarMatcher matcher(*grammar, trie);
  std::vector<uint32_t> bits(1);
  ASSERT_TRUE(matcher.mask(bits));
  EXPECT_EQ(bits[0], 0b0010U);
  EXPECT_FALSE(matcher.accept(0));
  EXPECT_TRUE(matcher.accept(1));
  ASSERT_TRUE(matcher.mask(bits));
  EXPECT_EQ(bits[0], 0b0100U);
}

TEST(GrammarTree, TextThatDoesNotBeginSo) {
  GrammarNode other{.kind = GrammarNode::Kind::not_beginning};
  other.children = {tree::sequence({tree::optional(tree::literal(" ")), tree::literal("{")})};
  const GrammarNode root = tree::alternatives({other, tree::literal("{}")});
  for (const char* text : {"", " ", "a{", "{}", "  {"}) EXPECT_TRUE(tree_takes(root, text)) << text;
  for (const char* text : {"{", " {", "{x"}) EXPECT_FALSE(tree_takes(root, text)) << text;
}

TEST(GrammarTree, SchemasThatMayLoosen) {
  const auto arguments = [](const char* schema, bool may_loosen) {
    GrammarTree result = tree_of(tree::json(0));
    result.schemas = {{.text = schema, .name = "f", .may_loosen = may_loosen}};
    return compile_tree(result);
  };
  const char* partly = R"({"type": "object", "properties": {"a": {"type": "array", "uniqueItems": true}}})";
  EXPECT_TRUE(refusal_of(arguments(partly, false)).starts_with("'f': at '#/properties/a/uniqueItems'"))
      << refusal_of(arguments(partly, false));
  EXPECT_TRUE(takes(arguments(partly, true), R"({"a": [1, 1]})"));
  EXPECT_FALSE(takes(arguments(partly, true), R"({"a": 1})"));
  const char* broken = R"({"type": "thing"})";
  EXPECT_NE(refusal_of(arguments(broken, false)), "");
  EXPECT_TRUE(takes(arguments(broken, true), R"({"a": 1})"));
  EXPECT_FALSE(takes(arguments(broken, true), "1"));
}

TEST(GrammarTree, SchemasThatCannotBeSatisfiedAreRefused) {
  EXPECT_EQ(refusal_of(compile_tree(tree_of(tree::json(0), {"false"}))), "no JSON value satisfies it");
}

}  // namespace
}  // namespace ogas::grammar
