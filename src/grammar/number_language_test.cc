#include "grammar/number_language.h"

#include <gtest/gtest.h>

#include <vector>

#include "grammar/derivative.h"

namespace ogas::grammar {
namespace {

const std::vector<std::string> kNumbers = {
    "0",     "-0",     "0.0",   "-0.00", "1",     "1.0",   "-1",  "9",      "10",  "10.5",  "-10.5",  "0.05",
    "0.5",   "0.499",  "0.51",  "99.99", "100",   "101",   "-99", "-100.0", "1e2", "1E+02", "1.0e-2", "5e-1",
    "-5e-1", "9.99e1", "1.5e3", "12345", "-3e-7", "1e400", "2e0", "1000",   "0.1", "-0.1",  "10.50"};

Decimal decimal(const std::string& text) { return parse_decimal(text); }

TEST(Decimal, ComparesExactly) {
  EXPECT_EQ(decimal("1.50"), decimal("15e-1"));
  EXPECT_EQ(decimal("-0.0"), decimal("0"));
  EXPECT_LT(decimal("-2"), decimal("-1.999"));
  EXPECT_GT(decimal("1e400"), decimal("9e399"));
  EXPECT_EQ(decimal("120.50").whole(), "120");
  EXPECT_EQ(decimal("120.50").fraction(), "5");
  EXPECT_EQ(decimal("0.0012").fraction(), "0012");
}

// For each bound and number, exactly one of a constraint and its opposite holds, and the right one.
TEST(NumberLanguage, BoundsAgreeWithValues) {
  Regexes regexes(1'000'000);
  NumberLanguage numbers(regexes);
  for (const std::string& bound : kNumbers) {
    const Decimal limit = decimal(bound);
    for (const bool is_exclusive : {false, true}) {
      const NumberAtom min = numbers.minimum(limit, is_exclusive), max = numbers.maximum(limit, is_exclusive);
      for (const std::string& text : kNumbers) {
        const Decimal value = decimal(text);
        const bool is_above = is_exclusive ? value > limit : value >= limit;
        const bool is_below = is_exclusive ? value < limit : value <= limit;
        EXPECT_EQ(matches(regexes, min.satisfied, text), is_above) << text << " min " << bound << is_exclusive;
        EXPECT_EQ(matches(regexes, min.broken, text), !is_above) << text << " min " << bound << is_exclusive;
        EXPECT_EQ(matches(regexes, max.satisfied, text), is_below) << text << " max " << bound << is_exclusive;
        EXPECT_EQ(matches(regexes, max.broken, text), !is_below) << text << " max " << bound << is_exclusive;
      }
    }
  }
}

TEST(NumberLanguage, EqualsByValueHoweverItIsWritten) {
  Regexes regexes(1'000'000);
  NumberLanguage numbers(regexes);
  for (const std::string& wanted : kNumbers) {
    const NumberAtom equal = numbers.equal(decimal(wanted));
    for (const std::string& text : kNumbers) {
      EXPECT_EQ(matches(regexes, equal.satisfied, text), decimal(text) == decimal(wanted)) << text << " " << wanted;
      EXPECT_EQ(matches(regexes, equal.broken, text), decimal(text) != decimal(wanted)) << text << " " << wanted;
    }
  }
}

TEST(NumberLanguage, IntegersMayHaveAFractionOfZeros) {
  Regexes regexes(1'000'000);
  NumberLanguage numbers(regexes);
  const NumberAtom integer = numbers.integer(), strict = numbers.integer(/*has_no_point=*/true);
  for (const std::string text : {"0", "-12", "1.0", "-3.000"}) {
    EXPECT_TRUE(matches(regexes, integer.satisfied, text)) << text;
    EXPECT_FALSE(matches(regexes, integer.broken, text)) << text;
  }
  for (const std::string text : {"0.5", "-1.01", "5e-1"}) {
    EXPECT_FALSE(matches(regexes, integer.satisfied, text)) << text;
    EXPECT_TRUE(matches(regexes, integer.broken, text)) << text;
  }
  EXPECT_FALSE(matches(regexes, strict.satisfied, "1.0"));
}

TEST(NumberLanguage, NoNumberHasALeadingZero) {
  Regexes regexes(1'000'000);
  NumberLanguage numbers(regexes);
  for (const NodeId node : {numbers.any(), numbers.minimum(decimal("5"), false).satisfied,
                            numbers.maximum(decimal("500"), false).satisfied, numbers.integer().satisfied})
    for (const std::string text : {"07", "00", "-01", "+7", ".7", "7.", "0x7", ""})
      EXPECT_FALSE(matches(regexes, node, text)) << text;
}

}  // namespace
}  // namespace ogas::grammar
