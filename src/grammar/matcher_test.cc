#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include "grammar/grammar_test_tools.h"

namespace ogas::grammar {
namespace {

std::vector<std::string> allowed_tokens(GrammarMatcher& matcher, const TokenTrie& trie) {
  std::vector<uint32_t> bits(trie.n_words());
  EXPECT_TRUE(matcher.mask(bits));
  std::vector<std::string> result;
  for (size_t id = 256; id < trie.n_tokens(); ++id)
    if (mask_has(bits, static_cast<TokenId>(id)))
      result.push_back(trie.is_end(static_cast<TokenId>(id)) ? "<end>"
                                                             : std::string(trie.bytes_of(static_cast<TokenId>(id))));
  return result;
}

using Strings = std::vector<std::string>;

TEST(GrammarMatcher, MasksTokensOfSeveralLexemes) {
  const auto trie =
      make_test_trie({"{\"", "{\"na", "{\"x", "name\":", "\":\"", "\",\"", "\"}", "abc", "\"},", "na", "me"});
  const auto grammar = compile_json_schema(
      R"({"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false})");
  GrammarMatcher matcher(*grammar, trie);
  EXPECT_EQ(allowed_tokens(matcher, *trie), (Strings{"{\"", "{\"na"}));
  ASSERT_TRUE(matcher.accept(257));
  EXPECT_EQ(allowed_tokens(matcher, *trie), Strings{"me"});
  ASSERT_TRUE(matcher.accept_bytes("me"));
  EXPECT_EQ(allowed_tokens(matcher, *trie), Strings{"\":\""});
  ASSERT_TRUE(matcher.accept_bytes("\":\""));
  EXPECT_EQ(allowed_tokens(matcher, *trie), (Strings{"{\"", "\"}", "abc", "na", "me"}));
  EXPECT_FALSE(matcher.accept(262 + 2));  // "},
  ASSERT_TRUE(matcher.accept(262));
  EXPECT_EQ(allowed_tokens(matcher, *trie), Strings{"<end>"});
  ASSERT_TRUE(matcher.accept(static_cast<TokenId>(trie->n_tokens() - 1)));
  EXPECT_TRUE(matcher.is_ended());
  EXPECT_EQ(allowed_tokens(matcher, *trie), Strings{});
  matcher.rollback(2);
  EXPECT_EQ(matcher.written(), R"({"name":")");
  EXPECT_EQ(allowed_tokens(matcher, *trie), (Strings{"{\"", "\"}", "abc", "na", "me"}));
}

TEST(GrammarMatcher, LongPlainTokensFitByTheirCharacters) {
  const std::string seventeen(17, 'a'), accents = "\xC3\xA9\xC3\xA9\xC3\xA9";
  const auto trie = make_test_trie({seventeen, "abc", "abcd", accents, "abc\""});
  const auto grammar = compile_json_schema(R"({"type":"string","maxLength":18})");
  GrammarMatcher matcher(*grammar, trie);
  ASSERT_TRUE(matcher.accept_bytes("\""));
  EXPECT_EQ(allowed_tokens(matcher, *trie), (Strings{seventeen, "abc", "abcd", accents, "abc\""}));
  ASSERT_TRUE(matcher.accept_bytes("aa"));
  EXPECT_EQ(allowed_tokens(matcher, *trie), (Strings{"abc", "abcd", accents, "abc\""}));
  ASSERT_TRUE(matcher.accept_bytes("aaaaaaaaaaaaa"));
  EXPECT_EQ(allowed_tokens(matcher, *trie), (Strings{"abc", accents, "abc\""}));
}

TEST(GrammarMatcher, ForcesWhatMustCome) {
  const auto grammar = compile_json_schema(
      R"({"type":"object","properties":{"long_name":{"const":"value"}},"required":["long_name"],"additionalProperties":false})",
      {.has_spaces = false});
  GrammarMatcher matcher(*grammar, make_test_trie());
  EXPECT_EQ(matcher.forced_bytes().value(), R"({"long_name":"value"})");
  EXPECT_EQ(matcher.forced_bytes(3).value(), R"({"l)");
  ASSERT_TRUE(matcher.accept_bytes(R"({"long_name":"value"})"));
  EXPECT_EQ(matcher.forced_bytes().value(), "");
}

TEST(GrammarMatcher, AKeyComesOnceAlsoWithoutAName) {
  const auto trie = make_test_trie();
  const auto grammar = compile_json_schema(R"({"type":"object"})");
  GrammarMatcher matcher(*grammar, trie);
  ASSERT_TRUE(matcher.accept_bytes(R"({"ab":1,"ab)"));
  EXPECT_FALSE(matcher.accept_bytes("\""));
  ASSERT_TRUE(matcher.accept_bytes("c\":1"));
  matcher.rollback(2);
}

TEST(GrammarMatcher, RefusedTokenChangesNothing) {
  const auto trie = make_test_trie({"[1,x"});
  GrammarMatcher matcher(*compile_json_schema(R"({"type":"array"})"), trie);
  const auto refused = matcher.accept(256);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("at byte 3"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(matcher.accept_bytes("[1]"));
  EXPECT_TRUE(matcher.is_complete());
}

TEST(Regex, MatchesTheWholeText) {
  const auto grammar = compile_regex("(yes|no), \\d{2,3}");
  EXPECT_TRUE(takes(grammar, "yes, 123"));
  EXPECT_FALSE(takes(grammar, "yes, 1"));
  EXPECT_FALSE(takes(grammar, "well yes, 12"));
  EXPECT_NE(refusal_of(compile_regex("a(?!.*)")).find("matches no text"), std::string::npos);
}

TEST(Choice, IsOneOfThem) {
  const std::vector<std::string> choices = {"yes", "no", "yes please"};
  const auto grammar = compile_choice(choices);
  for (const std::string& choice : choices) EXPECT_TRUE(takes(grammar, choice));
  EXPECT_FALSE(takes(grammar, "yes "));
  EXPECT_FALSE(takes(grammar, "nope"));
}

TEST(Gbnf, RecursiveRules) {
  const auto grammar = compile_gbnf(R"gbnf(
    # sums and products
    root  ::= expr "\n"?
    expr  ::= term (ws [-+] ws term)*
    term  ::= number | "(" expr ")"   # nested
    number ::= [0-9]{1,3} ("." [0-9]+)?
    ws ::= " "*)gbnf");
  for (const std::string text : {"1", "12+3", "(1 - (2.5+3))+4\n", "((7))"}) EXPECT_TRUE(takes(grammar, text)) << text;
  for (const std::string text : {"", "1+", "(1", "1)", "1234", "1\n\n"}) EXPECT_FALSE(takes(grammar, text)) << text;
}

TEST(Gbnf, AmbiguousTextsAreReadInAllWays) {
  const auto grammar = compile_gbnf("root ::= x x | \"a\" root \"b\"\nx ::= \"a\"* y?\ny ::= \"b\" x");
  for (const std::string text : {"", "aab", "ab", "abab", "aaabbb"}) EXPECT_TRUE(takes(grammar, text)) << text;
  EXPECT_FALSE(takes(grammar, "abc"));
}

TEST(Gbnf, IsRefusedWithTheReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"root ::= root \"a\" | \"b\"", "'root' can begin with itself"},
      {"root ::= a\na ::= \"x\"? a", "can begin with itself"},
      {"root ::= a", "'a' is not defined"},
      {"a ::= \"x\"", "no rule 'root'"},
      {"root ::= \"x\" root", "matches no text that ends"},
      {"root ::= \"x", "never closed"},
      {"root ::= [z-a]", "line 1"},
      {"root ::= <[1]>", "tokens in a grammar"},
  };
  for (const auto& [grammar, reason] : cases)
    EXPECT_NE(refusal_of(compile_gbnf(grammar)).find(reason), std::string::npos)
        << grammar << ": " << refusal_of(compile_gbnf(grammar));
}

}  // namespace
}  // namespace ogas::grammar
