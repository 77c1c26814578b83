// Every format is compared with PyPI's gguf, bit by bit (tools/make_quant_goldens.py makes the goldens).
#include "quant/format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "quant/half.h"
#include "quant/q4_0.h"
#include "quant/q8_0.h"

namespace ogas {
namespace {

// A larger set of goldens can be made anywhere and named here.
std::string golden_folder() {
  const char* folder = std::getenv("OGAS_QUANT_GOLDENS");
  return folder ? folder : "tests/data/quant";
}

class FormatTest : public ::testing::TestWithParam<FormatFacts> {};

TEST_P(FormatTest, DecodesAsGgufDoes) {
  const FormatFacts& facts = GetParam();
  const auto golden = read_file(fmt::format("{}/{}.golden", golden_folder(), facts.name));
  ASSERT_TRUE(golden) << golden.error().message;
  const size_t header_size = golden->find('\n') + 1;
  std::istringstream header(golden->substr(0, header_size));
  uint32_t ggml_type = 0, n_blocks = 0, block_values = 0, block_bytes = 0;
  header >> ggml_type >> n_blocks >> block_values >> block_bytes;
  EXPECT_EQ(facts.ggml_type, ggml_type);
  EXPECT_EQ(facts.block_values, block_values);
  ASSERT_EQ(facts.block_bytes, block_bytes);
  ASSERT_GT(n_blocks, 0U);
  const size_t n_values = size_t{n_blocks} * block_values;
  ASSERT_EQ(golden->size(), header_size + size_t{n_blocks} * block_bytes + n_values * sizeof(float));

  const auto* blocks = reinterpret_cast<const std::byte*>(golden->data()) + header_size;
  std::vector<float> expected(n_values);
  std::memcpy(expected.data(), blocks + size_t{n_blocks} * block_bytes, n_values * sizeof(float));
  std::vector<float> actual(n_values);
  facts.decode(blocks, actual.data(), n_blocks);
  for (size_t i = 0; i < n_values; ++i) {
    // The payload and sign of a NaN depend on the CPU.
    if (std::isnan(expected[i]) && std::isnan(actual[i])) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
        << "value " << i << " is " << actual[i] << ", not " << expected[i];
  }
}

INSTANTIATE_TEST_SUITE_P(All, FormatTest, ::testing::ValuesIn(all_formats().begin(), all_formats().end()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Formats, AreFoundByNameAndNumber) {
  std::set<uint32_t> numbers;
  for (const FormatFacts& facts : all_formats()) {
    EXPECT_EQ(format_from_name(facts.name), facts.format);
    if (facts.ggml_type != kNoGgmlType) {
      EXPECT_EQ(format_from_ggml_type(facts.ggml_type), facts.format);
      EXPECT_TRUE(numbers.insert(facts.ggml_type).second);
    }
    EXPECT_EQ(&facts_of(facts.format), &facts);
  }
  EXPECT_EQ(all_formats().size(), 27U);
  EXPECT_EQ(format_from_name("q4_k"), Format::q4_k);
  EXPECT_EQ(format_from_name("Q4_K_M"), std::nullopt);
  EXPECT_EQ(format_from_ggml_type(5), std::nullopt);
  EXPECT_EQ(facts_of(Format::q4_k).bits_per_value(), 4.5);
  EXPECT_EQ(facts_of(Format::q6_k).bytes_for(512), 420U);
}

// Half precision by its definition (IEEE 754, binary16).
float f16_by_definition(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const float sign = bits >> 15 ? -1.0F : 1.0F;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                               : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25));
}

// What gguf.quants.quantize() of PyPI's gguf 0.19 makes of these values.
TEST(Formats, ArePackedAsGgufDoes) {
  float x[64];
  for (int i = 0; i < 32; ++i) {
    x[i] = static_cast<float>((i * 37 + 11) % 101 - 50) / 8;
    x[32 + i] = -static_cast<float>((i * 53 + 7) % 97 - 40) / 3;
  }
  const auto hex = [](const std::byte* bytes, size_t n) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += fmt::format("{:02x}", static_cast<unsigned>(bytes[i]));
    return text;
  };
  std::byte blocks[2 * Q8_0::bytes];
  for (size_t b = 0; b < 2; ++b) Q8_0::pack(x + 32 * b, blocks + b * Q8_0::bytes);
  EXPECT_EQ(hex(blocks, 2 * Q8_0::bytes),
            "4d2a9dfb59b61472d02e8be947a50361be1c7ad73593f14fac0a68c62481df3d9af8"
            "b4304bd336be22aa0e95f981e549d034bc20a80b93f75be346ce32ba1da50991f558");
  for (size_t b = 0; b < 2; ++b) Q4_0::pack(x + 32 * b, blocks + b * Q4_0::bytes);
  EXPECT_EQ(hex(blocks, 2 * Q4_0::bytes), "403af258be1379df359bf147ac0268ce248aab402d951b74ea63c951b840a62d951b74ea");
}

TEST(Half, EveryPattern) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float expected = f16_by_definition(static_cast<uint16_t>(bits));
    const float actual = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(actual)) << bits;
      ASSERT_TRUE(std::isnan(f16_to_f32(f32_to_f16(actual)))) << bits;
      continue;
    }
    ASSERT_EQ(std::bit_cast<uint32_t>(actual), std::bit_cast<uint32_t>(expected)) << bits;
    ASSERT_EQ(f32_to_f16(actual), bits);
  }
}

TEST(Half, RoundsTiesToEven) {
  EXPECT_EQ(f16_to_f32(f32_to_f16(2049.0F)), 2048.0F);
  EXPECT_EQ(f16_to_f32(f32_to_f16(2051.0F)), 2052.0F);
  EXPECT_EQ(f32_to_f16(65519.0F), 0x7BFF);          // still the largest number
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7C00);          // infinity
  EXPECT_EQ(f32_to_f16(std::ldexp(1.0F, -25)), 0);  // half of the smallest: to even
  EXPECT_EQ(f32_to_f16(std::ldexp(1.5F, -25)), 1);
}

TEST(Bf16, EveryPattern) {
  for (uint32_t bits = 0; bits < 65536; ++bits)
    ASSERT_EQ(std::bit_cast<uint32_t>(bf16_to_f32(static_cast<uint16_t>(bits))), bits << 16);
}

}  // namespace
}  // namespace ogas
