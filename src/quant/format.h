// The block formats of tensor data: their names, block sizes, and how to decode them.
//
// One file per format (q4_k.h, mxfp4.h, ...) holds its layout, its facts and its scalar code; formats.h lists them.
// Deliberately not optimized: kernels/ compiles the same unpack code once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ogas {

enum class Format : uint8_t {
  f32,
  f16,
  bf16,
  f8_e4m3,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  tq1_0,
  tq2_0,
  mxfp4_split,
};

// Whether values are stored one by one, without blocks. (Those of F8_E4M3 need factors.)
constexpr bool is_plain(Format format) {
  return format == Format::f32 || format == Format::f16 || format == Format::bf16;
}

inline constexpr uint32_t kNoGgmlType = UINT32_MAX;

struct FormatFacts {
  Format format;
  std::string_view name;  // as the field writes it: "Q4_K"
  uint32_t ggml_type;     // its number in GGUF tensor records; kNoGgmlType where it has none
  uint32_t block_values;  // values in one block (1 for the plain formats)
  uint32_t block_bytes;   // bytes of one block
  // blocks: n_blocks * block_bytes bytes, any alignment. values: n_blocks * block_values floats.
  // Bit-exact with gguf.quants (PyPI `gguf`). F8_E4M3 comes without the factors of its blocks (f8_e4m3.h),
  // MXFP4_SPLIT without its scales (mxfp4_split.h).
  void (*decode)(const std::byte* blocks, float* values, size_t n_blocks);

  double bits_per_value() const { return 8.0 * block_bytes / block_values; }
  // Bytes of n values; n must be a multiple of block_values.
  size_t bytes_for(size_t n) const { return n / block_values * block_bytes; }
};

// The minimum work to multiply weights: how many products of their codes fit 16 bits together, or whether they are
// floats. Formats of fewer than 4 bits count as 4.
enum class WeightKind : uint8_t { bits4, bits5, bits6, bits8, bf16, f32 };
inline constexpr size_t kWeightKinds = 6;
// "4-bit", "BF16", ...
std::string_view name_of(WeightKind kind);
WeightKind weight_kind(Format format);

// All formats, in the order of the enum.
std::span<const FormatFacts> all_formats();
const FormatFacts& facts_of(Format format);
// For untrusted input; empty if ogas does not know the number or name (names compare without case).
std::optional<Format> format_from_ggml_type(uint32_t ggml_type);
std::optional<Format> format_from_name(std::string_view name);

}  // namespace ogas
