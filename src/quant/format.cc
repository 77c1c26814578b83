#include "quant/format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "quant/f8_e4m3.h"
#include "quant/formats.h"

namespace ogas {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are little-endian and read as they are");

void decode_f32(const std::byte* blocks, float* values, size_t n) { std::memcpy(values, blocks, n * sizeof *values); }

template <float (*kConvert)(uint16_t)>
void decode_16_bits(const std::byte* blocks, float* values, size_t n) {
  for (size_t i = 0; i < n; ++i) values[i] = kConvert(u16_at(blocks, 2 * i));
}

void decode_f8_e4m3(const std::byte* blocks, float* values, size_t n) {
  for (size_t i = 0; i < n; ++i) values[i] = f8_e4m3_to_f32(byte_at(blocks, i));
}

template <class Block>
void decode(const std::byte* blocks, float* values, size_t n_blocks) {
  decode_blocks<Block>(blocks, values, n_blocks);
}

template <class... Blocks>
constexpr auto make_table(FormatList<Blocks...>) {
  return std::array{
      FormatFacts{Format::f32, "F32", 0, 1, 4, decode_f32},
      FormatFacts{Format::f16, "F16", 1, 1, 2, decode_16_bits<f16_to_f32>},
      FormatFacts{Format::bf16, "BF16", 30, 1, 2, decode_16_bits<bf16_to_f32>},
      FormatFacts{Format::f8_e4m3, "F8_E4M3", kNoGgmlType, 1, 1, decode_f8_e4m3},
      FormatFacts{Blocks::format, Blocks::name, Blocks::ggml_type, Blocks::values, Blocks::bytes, decode<Blocks>}...};
}

constexpr auto kTable = make_table(BlockFormats{});

static_assert(
    [] {
      for (size_t idx = 0; idx < kTable.size(); ++idx)
        if (kTable[idx].format != static_cast<Format>(idx)) return false;
      return true;
    }(),
    "BlockFormats must follow the order of Format");

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::span<const FormatFacts> all_formats() { return kTable; }

const FormatFacts& facts_of(Format format) {
  const auto idx = static_cast<size_t>(format);
  OGAS_CHECK(idx < kTable.size(), "format {}", idx);
  return kTable[idx];
}

std::string_view name_of(WeightKind kind) {
  constexpr std::array<std::string_view, kWeightKinds> kNames = {"4-bit", "5-bit", "6-bit", "8-bit", "BF16", "F32"};
  return kNames[static_cast<size_t>(kind)];
}

WeightKind weight_kind(Format format) {
  if (format == Format::bf16) return WeightKind::bf16;
  const FormatFacts& facts = facts_of(format);
  if (facts.block_values == 1) return WeightKind::f32;
  // Scales and offsets take half a bit to one bit of a value.
  const double bits = facts.bits_per_value();
  return bits <= 5   ? WeightKind::bits4
         : bits <= 6 ? WeightKind::bits5
         : bits < 8  ? WeightKind::bits6
                     : WeightKind::bits8;
}

std::optional<Format> format_from_ggml_type(uint32_t ggml_type) {
  if (ggml_type == kNoGgmlType) return {};
  const auto found = std::ranges::find(kTable, ggml_type, &FormatFacts::ggml_type);
  return found == kTable.end() ? std::nullopt : std::optional(found->format);
}

std::optional<Format> format_from_name(std::string_view name) {
  const auto found = std::ranges::find_if(
      kTable, [&](const FormatFacts& facts) { return std::ranges::equal(facts.name, name, {}, lower, lower); });
  return found == kTable.end() ? std::nullopt : std::optional(found->format);
}

}  // namespace ogas
