#include "files/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "files/gguf.h"
#include "files/gguf_test_writer.h"

namespace ogas {
namespace {

using test::numbers;
using test::scalar;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kMany = 1000;

// The metadata of a file with these keys. Its views point into `bytes_`.
class MetadataTest : public ::testing::Test {
 protected:
  const Metadata& write(std::vector<test::TestKey> keys) {
    bytes_ = test::TestGguf{.keys = std::move(keys)}.write();
    auto parsed = parse_gguf(test::as_bytes(bytes_));
    EXPECT_TRUE(parsed) << parsed.error().message;
    if (parsed) metadata_ = std::move(parsed->metadata);
    return metadata_;
  }

 private:
  std::string bytes_;
  Metadata metadata_;
};

template <class T>
std::string message_of(const Result<T>& result) {
  EXPECT_FALSE(result);
  if (result) return "no error";
  EXPECT_EQ(result.error().code, ErrorCode::bad_file);
  return result.error().message;
}

TEST_F(MetadataTest, IntegersOfEveryTypeKeepTheirExtremes) {
  const Metadata& m = write({{"u8", scalar<uint8_t>(MetaType::u8, UINT8_MAX)},
                             {"i8", scalar<int8_t>(MetaType::i8, INT8_MAX)},
                             {"u16", scalar<uint16_t>(MetaType::u16, UINT16_MAX)},
                             {"i16", scalar<int16_t>(MetaType::i16, INT16_MAX)},
                             {"u32", scalar<uint32_t>(MetaType::u32, UINT32_MAX)},
                             {"i32", scalar<int32_t>(MetaType::i32, INT32_MAX)},
                             {"u64", scalar<uint64_t>(MetaType::u64, UINT64_MAX)},
                             {"i64", scalar<int64_t>(MetaType::i64, INT64_MAX)}});
  EXPECT_EQ(m.all().size(), 8);
  EXPECT_EQ(m.get_uint("u8").value(), UINT8_MAX);
  EXPECT_EQ(m.get_uint("i8").value(), INT8_MAX);
  EXPECT_EQ(m.get_uint("u16").value(), UINT16_MAX);
  EXPECT_EQ(m.get_uint("i16").value(), INT16_MAX);
  EXPECT_EQ(m.get_uint("u32").value(), UINT32_MAX);
  EXPECT_EQ(m.get_uint("i32").value(), INT32_MAX);
  EXPECT_EQ(m.get_uint("u64", 0, UINT64_MAX).value(), UINT64_MAX);
  EXPECT_EQ(m.get_uint("i64", 0, UINT64_MAX).value(), INT64_MAX);
}

TEST_F(MetadataTest, NegativeIntegersKeepTheirSignAndAreRefusedAsUnsigned) {
  const Metadata& m = write({{"i8", scalar<int8_t>(MetaType::i8, INT8_MIN)},
                             {"i16", scalar<int16_t>(MetaType::i16, INT16_MIN)},
                             {"i32", scalar<int32_t>(MetaType::i32, INT32_MIN)},
                             {"i64", scalar<int64_t>(MetaType::i64, INT64_MIN)}});
  EXPECT_EQ(std::get<int64_t>(m.all().at("i8").value), INT8_MIN);
  EXPECT_EQ(std::get<int64_t>(m.all().at("i16").value), INT16_MIN);
  EXPECT_EQ(std::get<int64_t>(m.all().at("i32").value), INT32_MIN);
  EXPECT_EQ(std::get<int64_t>(m.all().at("i64").value), INT64_MIN);
  EXPECT_THAT(message_of(m.get_uint("i8", 1, 7)), AllOf(HasSubstr("'i8'"), HasSubstr("-128"), HasSubstr("1 to 7")));
  EXPECT_THAT(message_of(m.get_uint("i64")), AllOf(HasSubstr("'i64'"), HasSubstr("-9223372036854775808")));
}

TEST_F(MetadataTest, IntegersAreHeldToTheirRange) {
  const Metadata& m = write({{"n", test::u32(5)}, {"big", scalar<uint64_t>(MetaType::u64, 1ULL << 32)}});
  EXPECT_EQ(m.get_uint("n", 5, 5).value(), 5);
  EXPECT_THAT(message_of(m.get_uint("n", 6, 9)), AllOf(HasSubstr("'n'"), HasSubstr(" 5;"), HasSubstr("6 to 9")));
  EXPECT_THAT(message_of(m.get_uint("n", 0, 4)), AllOf(HasSubstr("'n'"), HasSubstr(" 5;"), HasSubstr("0 to 4")));
  EXPECT_THAT(message_of(m.get_uint("big")), AllOf(HasSubstr("'big'"), HasSubstr("4294967296")));
}

TEST_F(MetadataTest, FloatsBoolsAndStrings) {
  const Metadata& m = write({{"f32", scalar<float>(MetaType::f32, 0.1F)},
                             {"f64", scalar<double>(MetaType::f64, 0.1)},
                             {"yes", test::boolean(1)},
                             {"no", test::boolean(0)},
                             {"text", test::string("Gr\xC3\xB6\xC3\x9F"
                                                   "e")},
                             {"none", test::string("")},
                             {"nul", test::string(std::string_view("a\0b", 3))}});
  EXPECT_EQ(m.get_float("f32").value(), static_cast<double>(0.1F));
  EXPECT_EQ(m.get_float("f64").value(), 0.1);
  EXPECT_TRUE(m.get_bool("yes").value());
  EXPECT_FALSE(m.get_bool("no").value());
  EXPECT_EQ(m.get_string("text").value(),
            "Gr\xC3\xB6\xC3\x9F"
            "e");
  EXPECT_EQ(m.get_string("none").value(), "");
  EXPECT_EQ(m.get_string("nul").value(), std::string_view("a\0b", 3));
}

TEST_F(MetadataTest, FloatsMustBeFinite) {
  const Metadata& m = write({{"nan", scalar<float>(MetaType::f32, std::numeric_limits<float>::quiet_NaN())},
                             {"inf", scalar<double>(MetaType::f64, -std::numeric_limits<double>::infinity())}});
  EXPECT_THAT(message_of(m.get_float("nan")), AllOf(HasSubstr("'nan'"), HasSubstr("finite")));
  EXPECT_THAT(message_of(m.get_float("inf")), AllOf(HasSubstr("'inf'"), HasSubstr("-inf"), HasSubstr("finite")));
}

TEST_F(MetadataTest, ArraysOfEveryIntegerType) {
  const Metadata& m = write({{"u8", numbers<uint8_t>(MetaType::u8, {0, UINT8_MAX})},
                             {"i8", numbers<int8_t>(MetaType::i8, {INT8_MIN, INT8_MAX})},
                             {"u16", numbers<uint16_t>(MetaType::u16, {0, UINT16_MAX})},
                             {"i16", numbers<int16_t>(MetaType::i16, {INT16_MIN, INT16_MAX})},
                             {"u32", numbers<uint32_t>(MetaType::u32, {0, UINT32_MAX})},
                             {"i32", numbers<int32_t>(MetaType::i32, {INT32_MIN, INT32_MAX})},
                             {"u64", numbers<uint64_t>(MetaType::u64, {0, INT64_MAX})},
                             {"i64", numbers<int64_t>(MetaType::i64, {INT64_MIN, INT64_MAX})},
                             {"empty", numbers<int32_t>(MetaType::i32, {})},
                             {"past", numbers<uint64_t>(MetaType::u64, {7, 1ULL << 63})}});
  EXPECT_THAT(m.get_ints("u8", kMany).value(), ElementsAre(0, UINT8_MAX));
  EXPECT_THAT(m.get_ints("i8", kMany).value(), ElementsAre(INT8_MIN, INT8_MAX));
  EXPECT_THAT(m.get_ints("u16", kMany).value(), ElementsAre(0, UINT16_MAX));
  EXPECT_THAT(m.get_ints("i16", kMany).value(), ElementsAre(INT16_MIN, INT16_MAX));
  EXPECT_THAT(m.get_ints("u32", kMany).value(), ElementsAre(0, UINT32_MAX));
  EXPECT_THAT(m.get_ints("i32", kMany).value(), ElementsAre(INT32_MIN, INT32_MAX));
  EXPECT_THAT(m.get_ints("u64", kMany).value(), ElementsAre(0, INT64_MAX));
  EXPECT_THAT(m.get_ints("i64", kMany).value(), ElementsAre(INT64_MIN, INT64_MAX));
  EXPECT_THAT(m.get_ints("empty", kMany).value(), IsEmpty());
  EXPECT_THAT(message_of(m.get_ints("past", kMany)),
              AllOf(HasSubstr("'past'"), HasSubstr("array of u64"), HasSubstr("element 1"), HasSubstr("2^63")));
}

TEST_F(MetadataTest, ArraysOfFloatsStringsAndBools) {
  const Metadata& m = write({{"f32", numbers<float>(MetaType::f32, {0.5F, -0.1F})},
                             {"f64", numbers<double>(MetaType::f64, {0.5, -0.1})},
                             {"strings", test::strings({"", "a", "bc"})},
                             {"bools", numbers<uint8_t>(MetaType::boolean, {0, 1, 1})}});
  EXPECT_THAT(m.get_floats("f32", kMany).value(), ElementsAre(0.5F, -0.1F));
  EXPECT_THAT(m.get_floats("f64", kMany).value(), ElementsAre(0.5F, -0.1F));
  EXPECT_THAT(m.get_strings("strings", kMany).value(), ElementsAre("", "a", "bc"));
  const auto& bools = std::get<MetaArray>(m.all().at("bools").value);
  EXPECT_EQ(bools.element, MetaType::boolean);
  EXPECT_EQ(bools.count, 3);
  EXPECT_EQ(bools.raw.size(), 3);
  EXPECT_THAT(m.get_bools("bools", kMany).value(), ElementsAre(false, true, true));
  EXPECT_THAT(message_of(m.get_bools("f32", kMany)), AllOf(HasSubstr("'f32'"), HasSubstr("array of f32")));
  EXPECT_THAT(message_of(m.get_bools("bools", 2)), HasSubstr("'bools'"));
}

TEST_F(MetadataTest, NestedArraysAreKeptRawAndWhatFollowsIsFound) {
  const auto inner = test::strings({"x", "yz"});
  const auto middle = test::array({inner, numbers<uint16_t>(MetaType::u16, {1, 2, 3})});
  const auto outer = test::array({middle, middle});
  const Metadata& m = write({{"nested", outer}, {"after", test::u32(9)}});
  const auto& array = std::get<MetaArray>(m.all().at("nested").value);
  EXPECT_EQ(array.element, MetaType::array);
  EXPECT_EQ(array.count, 2);
  EXPECT_EQ(array.raw.size(), 2 * middle.bytes.size());
  EXPECT_EQ(m.get_uint("after").value(), 9);
  EXPECT_THAT(message_of(m.get_ints("nested", kMany)), AllOf(HasSubstr("'nested'"), HasSubstr("array of array")));
  EXPECT_THAT(message_of(m.get_strings("nested", kMany)), AllOf(HasSubstr("'nested'"), HasSubstr("array of array")));
}

// Every getter, on every type it does not take: the message has the key, the type found and what was expected.
TEST_F(MetadataTest, WrongTypesAreNamed) {
  const std::vector<test::TestKey> keys = {{"k.u8", scalar<uint8_t>(MetaType::u8, 1)},
                                           {"k.i8", scalar<int8_t>(MetaType::i8, 1)},
                                           {"k.u16", scalar<uint16_t>(MetaType::u16, 1)},
                                           {"k.i16", scalar<int16_t>(MetaType::i16, 1)},
                                           {"k.u32", scalar<uint32_t>(MetaType::u32, 1)},
                                           {"k.i32", scalar<int32_t>(MetaType::i32, 1)},
                                           {"k.f32", scalar<float>(MetaType::f32, 1)},
                                           {"k.bool", test::boolean(1)},
                                           {"k.string", test::string("1")},
                                           {"k.array", test::strings({"1"})},
                                           {"k.u64", scalar<uint64_t>(MetaType::u64, 1)},
                                           {"k.i64", scalar<int64_t>(MetaType::i64, 1)},
                                           {"k.f64", scalar<double>(MetaType::f64, 1)}};
  const Metadata& m = write(keys);
  const auto expect = [](std::string_view key, const std::string& message, std::string_view expected) {
    EXPECT_THAT(message, AllOf(HasSubstr(fmt::format("key '{}' is of type {}", key, key.substr(2))),
                               HasSubstr(std::string(expected))));
  };
  size_t n_errors = 0;
  const auto check = [&](std::string_view key, const auto& result, std::string_view expected, bool accepted) {
    EXPECT_EQ(result.has_value(), accepted) << key << ": " << expected;
    if (result || accepted) return;
    ++n_errors;
    expect(key, message_of(result), expected);
  };
  for (const auto& [key, value] : m.all()) {
    const bool is_float = value.type == MetaType::f32 || value.type == MetaType::f64;
    const bool is_array = value.type == MetaType::array;
    const bool is_string = value.type == MetaType::string;
    const bool is_bool = value.type == MetaType::boolean;
    check(key, m.get_uint(key), "an integer is expected", !is_float && !is_array && !is_string && !is_bool);
    const bool is_wide_integer = value.type == MetaType::u64 || value.type == MetaType::i64;
    check(key, m.get_float(key), "a float is expected", is_float || is_wide_integer);
    check(key, m.get_bool(key), "a bool is expected", is_bool);
    check(key, m.get_string(key), "a string is expected", is_string);
    check(key, m.get_strings(key, kMany), "strings is expected", is_array);
    if (is_array) continue;
    check(key, m.get_ints(key, kMany), "integers is expected", false);
    check(key, m.get_floats(key, kMany), "floats is expected", false);
  }
  EXPECT_EQ(n_errors, 5 + 9 + 12 + 12 + 12 + 12 + 12);
}

TEST_F(MetadataTest, ArraysOfTheWrongElementAreNamed) {
  const Metadata& m = write({{"s", test::strings({"1"})},
                             {"f", numbers<float>(MetaType::f32, {1})},
                             {"i", numbers<int32_t>(MetaType::i32, {1})},
                             {"none", numbers<float>(MetaType::f32, {})}});
  EXPECT_THAT(message_of(m.get_ints("s", kMany)),
              AllOf(HasSubstr("'s'"), HasSubstr("array of string"), HasSubstr("of integers is expected")));
  EXPECT_THAT(message_of(m.get_ints("f", kMany)),
              AllOf(HasSubstr("'f'"), HasSubstr("array of f32"), HasSubstr("of integers is expected")));
  EXPECT_THAT(message_of(m.get_ints("none", kMany)), AllOf(HasSubstr("'none'"), HasSubstr("array of f32")));
  EXPECT_THAT(message_of(m.get_strings("i", kMany)),
              AllOf(HasSubstr("'i'"), HasSubstr("array of i32"), HasSubstr("strings is expected")));
  EXPECT_THAT(message_of(m.get_floats("i", kMany)),
              AllOf(HasSubstr("'i'"), HasSubstr("array of i32"), HasSubstr("floats is expected")));
}

TEST_F(MetadataTest, ArraysAreHeldToTheirLength) {
  const Metadata& m = write({{"s", test::strings({"1", "2", "3"})}, {"f", numbers<float>(MetaType::f32, {1, 2, 3})}});
  EXPECT_EQ(m.get_strings("s", 3).value().size(), 3);
  EXPECT_THAT(message_of(m.get_strings("s", 2)),
              AllOf(HasSubstr("'s'"), HasSubstr("3 elements"), HasSubstr("at most 2")));
  EXPECT_THAT(message_of(m.get_floats("f", 2)),
              AllOf(HasSubstr("'f'"), HasSubstr("3 elements"), HasSubstr("at most 2")));
  EXPECT_THAT(message_of(m.get_ints("f", 0)), AllOf(HasSubstr("'f'"), HasSubstr("3 elements"), HasSubstr("at most 0")));
}

TEST_F(MetadataTest, MissingKeysAreNamedWithWhatWasExpected) {
  const Metadata& m = write({});
  EXPECT_FALSE(m.contains("x"));
  EXPECT_THAT(message_of(m.get_uint("x")), AllOf(HasSubstr("'x' is missing"), HasSubstr("an integer")));
  EXPECT_THAT(message_of(m.get_float("x")), AllOf(HasSubstr("'x' is missing"), HasSubstr("a float")));
  EXPECT_THAT(message_of(m.get_bool("x")), AllOf(HasSubstr("'x' is missing"), HasSubstr("a bool")));
  EXPECT_THAT(message_of(m.get_string("x")), AllOf(HasSubstr("'x' is missing"), HasSubstr("a string")));
  EXPECT_THAT(message_of(m.get_strings("x", 1)), AllOf(HasSubstr("'x' is missing"), HasSubstr("strings")));
  EXPECT_THAT(message_of(m.get_ints("x", 1)), AllOf(HasSubstr("'x' is missing"), HasSubstr("integers")));
  EXPECT_THAT(message_of(m.get_floats("x", 1)), AllOf(HasSubstr("'x' is missing"), HasSubstr("floats")));
}

TEST_F(MetadataTest, DefaultsStandInForMissingKeysOnly) {
  const Metadata& m = write({{"n", test::u32(5)},
                             {"f", scalar<float>(MetaType::f32, 2)},
                             {"b", test::boolean(0)},
                             {"s", test::string("there")}});
  EXPECT_EQ(m.get_uint_or("x", 7).value(), 7);
  EXPECT_EQ(m.get_float_or("x", 1.5).value(), 1.5);
  EXPECT_TRUE(m.get_bool_or("x", true).value());
  EXPECT_EQ(m.get_string_or("x", "else").value(), "else");
  EXPECT_EQ(m.get_uint_or("n", 7).value(), 5);
  EXPECT_EQ(m.get_float_or("f", 1.5).value(), 2);
  EXPECT_FALSE(m.get_bool_or("b", true).value());
  EXPECT_EQ(m.get_string_or("s", "else").value(), "there");
  EXPECT_THAT(message_of(m.get_uint_or("s", 7)), HasSubstr("'s'"));
  EXPECT_THAT(message_of(m.get_uint_or("n", 7, 6, 9)), HasSubstr("6 to 9"));
  EXPECT_THAT(message_of(m.get_float_or("s", 1)), HasSubstr("'s'"));
  EXPECT_THAT(message_of(m.get_bool_or("n", true)), HasSubstr("'n'"));
  EXPECT_THAT(message_of(m.get_string_or("n", "")), HasSubstr("'n'"));
}

TEST(MetaType, NamesAndSizes) {
  EXPECT_EQ(name_of(MetaType::u8), "u8");
  EXPECT_EQ(name_of(MetaType::boolean), "bool");
  EXPECT_EQ(name_of(MetaType::f64), "f64");
  EXPECT_EQ(name_of(static_cast<MetaType>(13)), "unknown");
  EXPECT_EQ(size_of(MetaType::u16), 2);
  EXPECT_EQ(size_of(MetaType::boolean), 1);
  EXPECT_EQ(size_of(MetaType::f64), 8);
  EXPECT_EQ(size_of(MetaType::string), 0);
  EXPECT_EQ(size_of(static_cast<MetaType>(99)), 0);
}

}  // namespace
}  // namespace ogas
