#include "grammar/regex.h"

#include <gtest/gtest.h>

#include <regex>

#include "grammar/automaton.h"
#include "grammar/decimal_multiple.h"
#include "grammar/pattern.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

class Patterns : public ::testing::Test {
 protected:
  bool finds(std::string_view pattern, std::string_view text) {
    return matches(automaton_.regexes(), texts_with_match(encoding_, pattern), text);
  }
  std::string refusal(std::string_view pattern) {
    try {
      texts_with_match(encoding_, pattern);
    } catch (const Refusal& refusal) {
      return refusal.reason;
    }
    return "";
  }

  Automaton automaton_{1'000'000, 100'000};
  TextEncoding encoding_{automaton_.regexes(), TextEncoding::Kind::utf8};
};

TEST_F(Patterns, AreFoundAnywhere) {
  EXPECT_TRUE(finds("b+", "abbc"));
  EXPECT_FALSE(finds("b{3}", "abbc"));
  EXPECT_TRUE(finds("", ""));
}

TEST_F(Patterns, AnchorsHoldInTheirAlternativeOnly) {
  EXPECT_TRUE(finds("(^[^5]*$)|7", "123"));
  EXPECT_TRUE(finds("(^[^5]*$)|7", "5557"));
  EXPECT_FALSE(finds("(^[^5]*$)|7", "555"));
  EXPECT_FALSE(finds("a^b", "ab"));
  EXPECT_TRUE(finds("(|a)^b", "b"));
  EXPECT_FALSE(finds("(|a)^b", "ab"));
  EXPECT_TRUE(finds("^(a|b$|c)d?$", "b"));
  EXPECT_FALSE(finds("^(a|b$|c)d?$", "bd"));
}

TEST_F(Patterns, LookAheadIsAnIntersection) {
  EXPECT_TRUE(finds("^(?=.*[0-9])(?=.*[a-z])\\w{3,}$", "ab1"));
  EXPECT_FALSE(finds("^(?=.*[0-9])(?=.*[a-z])\\w{3,}$", "abc"));
  EXPECT_TRUE(finds("^(?!foo).+$", "fob"));
  EXPECT_FALSE(finds("^(?!foo).+$", "foobar"));
}

TEST_F(Patterns, ClassesAndEscapes) {
  EXPECT_TRUE(finds("^[\\w.-]+$", "a_b.c-1"));
  EXPECT_TRUE(finds("^[^\\s]$", "\xC3\xA9"));  // one character of two bytes
  EXPECT_FALSE(finds("^.$", "\n"));
  EXPECT_TRUE(finds("^\\u00e9\\x41\\u{1F600}$", "\xC3\xA9\x41\xF0\x9F\x98\x80"));
  EXPECT_TRUE(finds("^\\ud83d\\ude00$", "\xF0\x9F\x98\x80"));
  EXPECT_TRUE(finds("^\\p{Lu}\\P{Letter}$",
                    "\xC3\x89"
                    "1"));
  EXPECT_TRUE(finds("^a{,2}$", "a{,2}"));  // a literal brace
  EXPECT_TRUE(finds("^[]a]", "]a") == false);
}

TEST_F(Patterns, RefuseWhatTheyCannotSay) {
  EXPECT_NE(refusal("(a)\\1").find("back reference"), std::string::npos);
  EXPECT_NE(refusal("\\bword").find("word boundary"), std::string::npos);
  EXPECT_NE(refusal("(?<=a)b").find("lookbehind"), std::string::npos);
  EXPECT_NE(refusal("(a").find("never closed"), std::string::npos);
  EXPECT_NE(refusal("a**").find("quantifier"), std::string::npos);
  EXPECT_NE(refusal("[b-a]").find("out of order"), std::string::npos);
  EXPECT_NE(refusal("(a(?=b))*").find("repeats an assertion"), std::string::npos);
}

TEST_F(Patterns, AgreeWithTheStandardLibrary) {
  const std::string patterns[] = {"^a*b$", "(ab|a)(bc|c)?$", "^(a|b)*abb", "[ab]{2,3}c", "^$|c+b", "a.c|^b"};
  for (const std::string& pattern : patterns) {
    const std::regex expected(pattern);
    for (int number = 0; number < 1093; ++number) {  // all texts of a, b and c with up to six letters
      std::string text;
      for (int rest = number; rest > 0; rest = (rest - 1) / 3) text += static_cast<char>('a' + (rest - 1) % 3);
      EXPECT_EQ(finds(pattern, text), std::regex_search(text, expected)) << pattern << " in " << text;
    }
  }
}

TEST_F(Patterns, IntersectionThatIsEmptyIsKnownToBe) {
  Regexes& regexes = automaton_.regexes();
  const NodeId digits = texts_with_match(encoding_, "^[0-9]{2,4}$"), letters = texts_with_match(encoding_, "[a-z]");
  EXPECT_FALSE(automaton_.is_live(regexes.intersection(digits, letters)));
  const NodeId other = regexes.intersection(digits, encoding_.all_but(texts_with_match(encoding_, "^.{3}$")));
  EXPECT_TRUE(automaton_.is_live(other));
  EXPECT_EQ(automaton_.count_texts(other, 100'000), 10'100u);
}

TEST_F(Patterns, CountedRepetitionTakesNoMemoryUntilItIsUsed) {
  const size_t before = automaton_.regexes().size();
  texts_with_match(encoding_, "^((a{1000000}){1000000}){100}$");
  EXPECT_LT(automaton_.regexes().size() - before, 100u);
}

TEST(DecimalMultiple, KnowsExactlyTheMultiples) {
  Regexes regexes(1'000'000);
  const Divisor divisors[] = {{7, 0}, {25, 2}, {675, 2}, {1, 1}, {12, 0}};
  for (const Divisor& divisor : divisors) {
    const NodeId node = multiples_of(regexes, divisor);
    for (int thousandths = 0; thousandths < 30'000; thousandths += 5) {
      const std::string text = fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000);
      int scaled = 1000;
      for (uint32_t idx = 0; idx < divisor.q; ++idx) scaled /= 10;
      EXPECT_EQ(matches(regexes, node, text), thousandths % (static_cast<int>(divisor.p) * scaled) == 0) << text;
    }
  }
}

}  // namespace
}  // namespace ogas::grammar
