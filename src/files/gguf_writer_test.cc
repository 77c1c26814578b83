#include "files/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files/gguf.h"

namespace ogas {
namespace {

TEST(GgufWriter, OurParserReadsWhatIsWritten) {
  GgufWriter writer;
  writer.add_string("general.architecture", "x");
  writer.add_uint("n", 4'000'000'000U);
  writer.add_float("f", 0.25F);
  writer.add_bool("b", true);
  writer.add_strings("texts", std::vector<std::string>{"a", "", "ü b"});
  writer.add_ints("ints", std::vector<int32_t>{-1, 7});
  writer.add_tensor("odd", Format::f32, {.dims = {3, 1, 1, 1}, .n_dims = 1});
  writer.add_tensor("blocks", Format::q8_0, {.dims = {2, 5, 64, 1}, .n_dims = 3});
  std::string bytes = writer.header();
  const size_t begin = bytes.size();
  bytes.resize(begin + writer.data_bytes(), '\x5a');
  const auto parsed = parse_gguf(std::as_bytes(std::span(bytes.data(), bytes.size())));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->metadata.get_uint("n").value(), 4'000'000'000U);
  EXPECT_EQ(parsed->metadata.get_float("f").value(), 0.25);
  EXPECT_TRUE(parsed->metadata.get_bool("b").value());
  EXPECT_THAT(parsed->metadata.get_strings("texts", 9).value(), testing::ElementsAre("a", "", "ü b"));
  EXPECT_THAT(parsed->metadata.get_ints("ints", 9).value(), testing::ElementsAre(-1, 7));
  ASSERT_EQ(parsed->tensors.size(), 2U);
  const TensorInfo& blocks = parsed->tensors[1];
  EXPECT_EQ(blocks.name, "blocks");
  EXPECT_EQ(blocks.format, Format::q8_0);
  EXPECT_EQ(blocks.shape, (Shape{.dims = {2, 5, 64, 1}, .n_dims = 3}));
  EXPECT_EQ(reinterpret_cast<const char*>(blocks.data.data()), bytes.data() + begin + writer.tensors()[1].offset);
  EXPECT_EQ(blocks.data.data() + blocks.data.size(), std::as_bytes(std::span(bytes)).data() + bytes.size());
}

}  // namespace
}  // namespace ogas
