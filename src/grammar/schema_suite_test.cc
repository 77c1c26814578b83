// The JSON-Schema-Test-Suite: no wrong answer to what is not refused, and what is refused.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "grammar/grammar_test_tools.h"

namespace ogas::grammar {
namespace {

using Json = nlohmann::json;

// Answers that differ from the suite's on purpose. docs/STRUCTURED.md states each.
bool differs_on_purpose(const std::string& file, const std::string& text, bool is_valid) {
  if (is_valid) {
    if (file == "format.json") return true;                                     // formats are enforced, not annotations
    if (file == "optional/float-overflow.json") return true;                    // an integer has no exponent
    if (file == "optional/format/hostname.json") return text.contains("xn--");  // encoded labels are not written
    const bool has_time = file == "optional/format/time.json" || file == "optional/format/date-time.json";
    return has_time && text.contains(":60") && !text.contains("23:59:60Z");  // leap seconds are written in UTC
  }
  return file == "optional/content.json";  // contentEncoding and contentMediaType are annotations
}

bool takes_bytes(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  static const auto trie = make_test_trie();
  GrammarMatcher matcher(grammar, trie);
  for (const char c : text)
    if (!matcher.accept(static_cast<TokenId>(static_cast<uint8_t>(c)))) return false;
  return matcher.is_complete();
}

struct Answers {
  int n_right = 0, n_on_purpose = 0;
  std::map<std::string, int> refused;  // schemas, by file

  bool operator==(const Answers&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Answers& answers) {
  out << answers.n_right << " right, " << answers.n_on_purpose << " different on purpose; refused:";
  for (const auto& [file, count] : answers.refused) out << " {\"" << file << "\", " << count << "}";
  return out;
}

Answers answers_to(const std::string& draft) {
  Answers answers;
  std::ifstream suite("tests/data/json_schema/" + draft + ".jsonl");
  for (std::string line; std::getline(suite, line);) {
    const auto group = Json::parse(line);
    const std::string file = group["file"];
    const auto grammar = compile_json_schema(group["schema"].get<std::string>());
    if (!grammar) {
      ++answers.refused[file];
      continue;
    }
    for (const auto& test : group["tests"]) {
      const bool is_valid = test["valid"];
      const std::string text = test["text"];
      if (takes_bytes(*grammar, text) == is_valid) {
        ++answers.n_right;
      } else {
        EXPECT_TRUE(differs_on_purpose(file, text, is_valid))
            << file << ": " << group["name"] << ": " << group["schema"] << ": " << test["name"] << ": " << text
            << (is_valid ? " is valid" : " is not valid");
        ++answers.n_on_purpose;
      }
    }
  }
  return answers;
}

// What is refused: no value satisfies it, or its dialect, format or reference is not supported.
TEST(SchemaSuite, Draft2020) {
  EXPECT_EQ(answers_to("draft2020-12"), (Answers{1765,
                                                 37,
                                                 {{"allOf.json", 2},
                                                  {"anyOf.json", 1},
                                                  {"boolean_schema.json", 1},
                                                  {"defs.json", 1},
                                                  {"dynamicRef.json", 12},
                                                  {"enum.json", 1},
                                                  {"format.json", 3},
                                                  {"minContains.json", 1},
                                                  {"not.json", 3},
                                                  {"oneOf.json", 3},
                                                  {"optional/cross-draft.json", 1},
                                                  {"optional/dynamicRef.json", 1},
                                                  {"optional/format-assertion.json", 2},
                                                  {"optional/format/ecmascript-regex.json", 6},
                                                  {"optional/format/idn-hostname.json", 2},
                                                  {"optional/format/regex.json", 1},
                                                  {"optional/format/uri-template.json", 1},
                                                  {"ref.json", 2},
                                                  {"refRemote.json", 15},
                                                  {"unevaluatedItems.json", 10},
                                                  {"unevaluatedProperties.json", 11},
                                                  {"uniqueItems.json", 3},
                                                  {"vocabulary.json", 2}}}));
}

TEST(SchemaSuite, Draft7) {
  EXPECT_EQ(answers_to("draft7"), (Answers{1427,
                                           25,
                                           {{"allOf.json", 2},
                                            {"anyOf.json", 1},
                                            {"boolean_schema.json", 1},
                                            {"definitions.json", 1},
                                            {"format.json", 3},
                                            {"not.json", 2},
                                            {"oneOf.json", 3},
                                            {"optional/cross-draft.json", 1},
                                            {"optional/format/ecmascript-regex.json", 6},
                                            {"optional/format/idn-hostname.json", 2},
                                            {"optional/format/regex.json", 1},
                                            {"optional/format/uri-template.json", 1},
                                            {"ref.json", 2},
                                            {"refRemote.json", 11},
                                            {"uniqueItems.json", 3}}}));
}

}  // namespace
}  // namespace ogas::grammar
