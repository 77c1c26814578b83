#include "server/request/json_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ogas::server {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto json = parse_json(text);
  return json ? "" : json.error().message;
}

TEST(ParseJsonTest, TakesWhatIsJson) {
  EXPECT_EQ(error_of(R"({"a": [1, 2.5, "é", null, true], "b": {"a": {}}})"), "");
  EXPECT_EQ(error_of(std::string(64, '[') + std::string(64, ']')), "");
}

TEST(ParseJsonTest, RefusesWhatIsNot) {
  EXPECT_THAT(error_of(""), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("{\"a\": 1} x"), HasSubstr("line 1, column 10"));
  EXPECT_THAT(error_of("\"\xff\""), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("[NaN]"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("[1e400]"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of(std::string(66, '[') + std::string(66, ']')), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_of(std::string(1'000'000, '[')), HasSubstr("nested deeper than 64"));
}

TEST(ParseJsonTest, RefusesNamesThatAreThereTwice) {
  EXPECT_THAT(error_of(R"({"a": 1, "a": 2})"), HasSubstr("'a' twice"));
  EXPECT_THAT(error_of(R"({"x": {"b": 1, "c": [], "b": 2}})"), HasSubstr("'b' twice"));
  EXPECT_EQ(error_of(R"([{"a": 1}, {"a": 1}, {"b": {"a": 1}, "a": 2}])"), "");
}

class FieldsTest : public testing::Test {
 protected:
  Fields fields(std::string_view text) {
    json_ = parse_json(text).value();
    return Fields::of(json_, "body").value();
  }
  Json json_;
};

TEST_F(FieldsTest, ReadsWhatIsThere) {
  Fields all = fields(R"({"b": true, "i": -3, "whole": 4.0, "n": 0.5, "t": "x", "ts": ["y", "z"], "gone": null})");
  EXPECT_EQ(all.boolean("b"), true);
  EXPECT_EQ(all.integer("i", -5, 5), -3);
  EXPECT_EQ(all.integer("whole", 0, 5), 4);
  EXPECT_EQ(all.number("n", 0, 1), 0.5);
  EXPECT_EQ(all.text("t"), "x");
  EXPECT_THAT(all.texts("ts", 2).value(), testing::ElementsAre("y", "z"));
  EXPECT_EQ(all.text("gone").value(), std::nullopt);
  EXPECT_EQ(all.text("missing").value(), std::nullopt);
  EXPECT_TRUE(all.finish());
}

TEST_F(FieldsTest, NamesThePathOfWhatIsWrong) {
  Fields all = fields(R"({"b": 1, "i": 1.5, "large": 18446744073709551615, "t": [], "ts": ["y", 1]})");
  const auto expect = [](const auto& result, std::string_view path, std::string_view text) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().param, path);
    EXPECT_EQ(result.error().status, 400U);
    EXPECT_THAT(result.error().message, HasSubstr(text));
  };
  expect(all.boolean("b"), "body.b", "an integer, where a boolean");
  expect(all.integer("i", 0, 5), "body.i", "a number, where an integer");
  expect(all.integer("large", 0, INT64_MAX - 1), "body.large", "not in");
  expect(all.integer("b", 2, 5), "body.b", "1, which is not in 2 to 5");
  expect(all.text("t"), "body.t", "an array, where a string");
  expect(all.texts("ts", 2), "body.ts[1]", "an integer, where a string");
  expect(all.texts("ts", 1), "body.ts", "body.ts has 2 texts, where at most 1 are allowed");
  expect(all.needed_text("missing"), "body.missing", "missing");
}

TEST_F(FieldsTest, RefusesWhatNobodyAskedFor) {
  Fields all = fields(R"({"a": 1, "b": 2, "c": null})");
  all.find("a");
  const auto unknown = all.finish();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().param, "body.b");
  all.ignore({"b"});
  EXPECT_TRUE(all.finish());
}

TEST_F(FieldsTest, TakesWhatSaysNothing) {
  EXPECT_TRUE(fields(R"({"a": null, "b": null})").finish());
  Fields all = fields(R"({"a": [], "b": [], "c": [0]})");
  EXPECT_FALSE(all.finish());
  all.allow_empty({"a", "c", "missing"});
  EXPECT_EQ(all.finish().error().param, "body.b");
  all.allow_empty({"b"});
  EXPECT_EQ(all.finish().error().param, "body.c");
}

}  // namespace
}  // namespace ogas::server
