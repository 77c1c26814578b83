#include "files/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files/gguf_test_writer.h"

namespace ogas {
namespace {

using test::TestGguf;
using ::testing::HasSubstr;

constexpr uint32_t kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8;

std::string counted_bytes(size_t n, char first) {
  std::string bytes(n, '\0');
  for (size_t idx = 0; idx < n; ++idx) bytes[idx] = static_cast<char>(first + static_cast<char>(idx % 50));
  return bytes;
}

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

TestGguf three_tensors() {
  return {.keys = {{"general.architecture", test::string("llama")}},
          .tensors = {{"a.weight", {3}, kF32, counted_bytes(12, 'A')},
                      {"b.weight", {64, 2, 3}, kQ8_0, counted_bytes(12 * 34, '0')},
                      {"c.weight", {32, 1, 1, 2}, kQ4_0, counted_bytes(36, 'a')}}};
}

class Versions : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Versions, KeysAndTensorsAreFoundWhereTheyStand) {
  TestGguf written = three_tensors();
  written.version = GetParam();
  const std::string bytes = written.write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->metadata.get_string("general.architecture").value(), "llama");
  ASSERT_EQ(parsed->tensors.size(), 3);
  for (size_t idx = 0; idx < 3; ++idx) {
    EXPECT_EQ(parsed->tensors[idx].name, written.tensors[idx].name);
    EXPECT_EQ(as_text(parsed->tensors[idx].data), written.tensors[idx].data);
    EXPECT_EQ(parsed->tensors[idx].shard, 0);
  }
  EXPECT_EQ(parsed->tensors[0].format, Format::f32);
  EXPECT_EQ(parsed->tensors[1].format, Format::q8_0);
  EXPECT_EQ(parsed->tensors[2].format, Format::q4_0);
}

INSTANTIATE_TEST_SUITE_P(Gguf, Versions, ::testing::Values(2, 3));

TEST(Gguf, ShapesAreOutermostFirst) {
  const std::string bytes = three_tensors().write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->tensors[0].shape.to_string(), "[3]");
  EXPECT_EQ(parsed->tensors[1].shape.to_string(), "[3, 2, 64]");
  EXPECT_EQ(parsed->tensors[1].shape.n_values(), 384);
  EXPECT_EQ(parsed->tensors[2].shape.to_string(), "[2, 1, 1, 32]");
}

// Names, strings and data are views of the bytes given, not copies.
TEST(Gguf, EverythingPointsIntoTheFile) {
  const std::string bytes = three_tensors().write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto position_of = [&](const void* p) {
    return static_cast<size_t>(static_cast<const char*>(p) - bytes.data());
  };
  const std::string_view architecture = parsed->metadata.get_string("general.architecture").value();
  EXPECT_EQ(position_of(architecture.data()), bytes.find("llama"));
  size_t expected = bytes.find("ABCDEF");
  for (const TensorInfo& tensor : parsed->tensors) {
    EXPECT_EQ(position_of(tensor.name.data()), bytes.find(tensor.name));
    EXPECT_EQ(position_of(tensor.data.data()), expected);
    EXPECT_EQ(expected % 32, 0);
    expected += (tensor.data.size() + 31) / 32 * 32;
  }
}

class Alignments : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Alignments, MoveTheData) {
  TestGguf written = three_tensors();
  written.alignment = GetParam();
  written.keys.push_back({"general.alignment", test::u32(GetParam())});
  const std::string bytes = written.write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  for (size_t idx = 0; idx < 3; ++idx) {
    EXPECT_EQ(as_text(parsed->tensors[idx].data), written.tensors[idx].data);
    EXPECT_EQ((parsed->tensors[idx].data.data() - test::as_bytes(bytes).data()) % GetParam(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Gguf, Alignments, ::testing::Values(8, 16, 64, 4096));

TEST(Gguf, TensorsMayStandInAnyOrderAndWithGaps) {
  TestGguf written = {
      .tensors = {{"second", {4}, kF16, std::string(8, 'x')}, {"first", {4}, kF16, std::string(72, 'y')}}};
  written.tensors[0].offset = 96;
  written.tensors[1].offset = 32;
  const std::string bytes = written.write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->tensors[0].data.data() - parsed->tensors[1].data.data(), 64);
}

TEST(Gguf, NothingInItIsAFileToo) {
  const std::string bytes = TestGguf{}.write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->metadata.all().empty());
  EXPECT_TRUE(parsed->tensors.empty());
}

TEST(Gguf, KnownButUndecodableTypesAreNamed) {
  const std::string bytes = TestGguf{.tensors = {{"blk.0.ffn_up.weight", {256}, 15, std::string(292, 'x')}}}.write();
  const auto parsed = parse_gguf(test::as_bytes(bytes));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::unsupported);
  EXPECT_THAT(parsed.error().message, HasSubstr("'blk.0.ffn_up.weight' is of data type 15 (Q8_K)"));
}

}  // namespace
}  // namespace ogas
