#include "chat/json_scanner.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace ogas {
namespace {

using State = JsonScanner::State;

bool is_json(const std::string& text) { return nlohmann::json::accept(text); }

// What whole_json() makes of the text. After each byte, what is certain so far can be closed.
std::string scan(const std::string& text) {
  JsonScanner scanner;
  std::string certain;
  for (const char c : text) {
    if (scanner.push(c) != State::more) break;
    certain += scanner.take();
    const std::string closed = certain + scanner.closing();
    EXPECT_TRUE(certain.empty() || is_json(closed)) << closed;
  }
  return whole_json(text);
}

TEST(JsonScanner, TakesJsonAsItIs) {
  for (const char* text : {R"({})", R"([])", R"({"a": [1, -0.5e+3, true, false, null, "\ud83d\ude00\n\\"], "b": {}})",
                           "\"\u00EB\u20AC\U0001F600\"", "12", "-0", "0.0", "1E5", "null"})
    EXPECT_EQ(scan(text), text);
  EXPECT_EQ(scan(" [1 ,\n2 ]\n"), "[1 ,\n2 ]");
}

TEST(JsonScanner, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "{",
                           "}",
                           "[1,]",
                           "[,1]",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "[1 2]",
                           "[}",
                           "01",
                           "1.",
                           ".5",
                           "1e",
                           "+1",
                           "-",
                           "1e999",
                           "nul",
                           "nulll",
                           "tru",
                           "\"\\x\"",
                           "\"\\u12g4\"",
                           "\"\\ud83d\"",
                           "\"\\ude00\"",
                           "\"\\ud83dx\"",
                           "\"\\ud83d\\n\"",
                           "\"\\ud83d\\ud83d\"",
                           "\"",
                           "\"\x80\"",
                           "\"\xC0\x80\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF4\x90\x80\x80\"",
                           "\"\xC3\"",
                           "1 1",
                           "{}{}",
                           "'a'"})
    EXPECT_EQ(scan(text), "") << text;
}

TEST(JsonScanner, EscapesControlCharacters) { EXPECT_EQ(scan("[\"a\n\t\x01\"]"), "[\"a\\n\\t\\u0001\"]"); }

TEST(JsonScanner, NestsSixtyFourDeep) {
  EXPECT_NE(scan(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(scan(std::string(65, '[') + std::string(65, ']')), "");
}

TEST(JsonScanner, LateTextIsHeldBack) {
  JsonScanner scanner;
  for (const char c : std::string("{\"a\": \"x\", \"b\": 1")) scanner.push(c);
  EXPECT_EQ(scanner.take(), "{\"a\": \"x\"");
  EXPECT_EQ(scanner.closing(), "}");
  scanner.push(']');
  EXPECT_EQ(scanner.take(), ", \"b\": 1");
}

// Texts of random words: what the library takes, and nothing else.
TEST(JsonScanner, AgreesWithTheLibrary) {
  const std::vector<std::string> words = {"{",        "}",        "[",       "]",         ",",   ":", "\"a\"", "\"",
                                          "\\",       "\\u00e9",  "\\ud83d", "\\ude00",   "1",   "0", "-",     ".",
                                          "e",        "+",        "true",    "null",      "nu",  " ", "\n",    "\u00EB",
                                          "\xF0\x9F", "\x98\x80", "\xFF",    "{\"a\": 1", "[1, "};
  std::mt19937 random(3);
  size_t n_whole = 0;
  for (int n = 0; n < 300'000; ++n) {
    std::string text;
    for (size_t length = 1 + random() % 8; length > 0; --length) text += words[random() % words.size()];
    const bool whole = !scan(text).empty();
    n_whole += whole;
    const bool may_differ = text.find('\n') != std::string::npos;  // within a string
    EXPECT_TRUE(may_differ || whole == is_json(text)) << text;
  }
  EXPECT_GT(n_whole, 1000U);
}

TEST(JsonScanner, Quotes) {
  EXPECT_EQ(quoted_json("a\"\n\xFF"), "\"a\\\"\\n\uFFFD\"");
  EXPECT_EQ(unquoted_json("\"a\\u00e9\""), "a\u00E9");
  EXPECT_EQ(unquoted_json("7"), "");
}

}  // namespace
}  // namespace ogas
