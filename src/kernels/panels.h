// Weights interleaved so that four products of bytes are summed into a 32-bit lane: their layout, packing and
// unpacking. multiply_panels.h multiplies with them.
//
// A panel holds Isa::kWidth rows, one for each lane, so that no sum ever crosses lanes. A vector of 4 * kWidth bytes
// holds four inputs of each row. Codes are made unsigned by a bias, which is taken back exactly: sums start from
// -bias * (sum of the activations' codes), or, where products take signed codes, it is subtracted from the unpacked
// codes. (Codes of 8 bits have none then.) For each 32 inputs the panel has
//
//   4 vectors v of nibbles: low ones are inputs 4 v..4 v + 3 of each row, high ones inputs 16 + 4 v..16 + 4 v + 3
//   for 5 bits 1 vector more: bit k belongs to inputs 4 k..4 k + 3
//   for 6 bits 2 vectors h more: bits 2 k and 2 k + 1 belong to inputs 16 h + 4 k..16 h + 4 k + 3
//   for 8 bits instead 8 vectors k: inputs 4 k..4 k + 3
//
// Inputs are stored in sections of 256, of which the last may be shorter: for each block of the format its scales as in
// the file, interleaved by row, then all codes. So one token reads a panel sequentially. A panel takes as many bytes as
// its rows in the file, except that Q4_K and Q5_K store their 6-bit scales as bytes (2.8% and 2.3% more).
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/tuning.h"
#include "quant/formats.h"

namespace ogas {
namespace {

// Inputs of a section: a block of the K formats.
constexpr size_t kSection = 256;

// n numbers, in the compilers' own notation (quant/lanes.h).
template <class Number, size_t n>
struct VectorOf {
  typedef Number Type __attribute__((vector_size(n * sizeof(Number))));
};
// A 32-bit word of each row of a panel.
template <class Isa>
using RowWords = typename VectorOf<uint32_t, Isa::kWidth>::Type;

// Bytes 0..3 of each row's word to four vectors of bytes, interleaved by row.
template <class Isa>
OGAS_INLINE void split_bytes(RowWords<Isa> words, std::byte* out) {
  using Bytes = typename VectorOf<uint8_t, Isa::kWidth>::Type;
  for (size_t k = 0; k < 4; ++k) {
    const auto bytes = __builtin_convertvector(words >> static_cast<uint32_t>(8 * k) & 255, Bytes);
    __builtin_memcpy(out + k * Isa::kWidth, &bytes, sizeof bytes);
  }
}

// Scales of a block: an f16 d, or d and an f16 minimum m that is added. Each kind says how many words of a row hold
// them while a panel is packed (read), and how the words of all rows become the panel's scales (pack).
template <class Isa, bool kHasMinimum>
struct PlainScales {
  static constexpr size_t kBytes = (kHasMinimum ? 4 : 2) * Isa::kWidth;
  static constexpr size_t kWords = 1;
  static OGAS_INLINE void read(const std::byte* block, uint32_t* words) {
    words[0] = kHasMinimum ? u32_at(block, 0) : u16_at(block, 0);
  }
  static OGAS_INLINE void pack(const RowWords<Isa>* words, std::byte* out) {
    using Halves = typename VectorOf<uint16_t, Isa::kWidth>::Type;
    for (size_t k = 0; k < kBytes / (2 * Isa::kWidth); ++k) {
      const auto halves = __builtin_convertvector(words[0] >> static_cast<uint32_t>(16 * k) & 65535, Halves);
      __builtin_memcpy(out + 2 * k * Isa::kWidth, &halves, sizeof halves);
    }
  }
  OGAS_INLINE explicit PlainScales(const std::byte* p) : halves(reinterpret_cast<const uint16_t*>(p)) {}
  OGAS_INLINE typename Isa::Floats scale(size_t /*group*/) const { return Isa::load_f16(halves); }
  OGAS_INLINE typename Isa::Floats offset(size_t /*group*/) const { return Isa::load_f16(halves + Isa::kWidth); }
  const uint16_t* halves;
};

// Of Q4_K and Q5_K: f16 d and dmin, 8 scales, 8 minimums.
template <class Isa>
struct KScales {
  static constexpr size_t kBytes = 20 * Isa::kWidth;
  static constexpr size_t kWords = 4;
  static OGAS_INLINE void read(const std::byte* block, uint32_t* words) { __builtin_memcpy(words, block, 16); }
  static OGAS_INLINE void pack(const RowWords<Isa>* words, std::byte* out) {
    PlainScales<Isa, true>::pack(words, out);
    const RowWords<Isa> a = words[1], b = words[2], c = words[3];  // see unpack_scales()
    std::byte *scales = out + 4 * Isa::kWidth, *minimums = scales + 8 * Isa::kWidth;
    constexpr uint32_t kLow6 = 0x3F3F3F3F, kLow4 = 0x0F0F0F0F, kLow2 = 0x03030303;
    split_bytes<Isa>(a & kLow6, scales);
    split_bytes<Isa>((c & kLow4) | (a >> 6 & kLow2) << 4, scales + 4 * Isa::kWidth);
    split_bytes<Isa>(b & kLow6, minimums);
    split_bytes<Isa>((c >> 4 & kLow4) | (b >> 6 & kLow2) << 4, minimums + 4 * Isa::kWidth);
  }
  OGAS_INLINE explicit KScales(const std::byte* p)
      : d(Isa::load_f16(reinterpret_cast<const uint16_t*>(p))),
        dmin(Isa::sub(Isa::zero(), Isa::load_f16(reinterpret_cast<const uint16_t*>(p) + Isa::kWidth))),
        bytes(reinterpret_cast<const uint8_t*>(p) + 4 * Isa::kWidth) {}
  OGAS_INLINE typename Isa::Floats scale(size_t group) const {
    return Isa::mul(d, Isa::load_u8(bytes + group * Isa::kWidth));
  }
  OGAS_INLINE typename Isa::Floats offset(size_t group) const {
    return Isa::mul(dmin, Isa::load_u8(bytes + (8 + group) * Isa::kWidth));
  }
  typename Isa::Floats d, dmin;
  const uint8_t* bytes;
};

// Of Q6_K: f16 d, 16 signed scales.
template <class Isa>
struct Q6Scales {
  static constexpr size_t kBytes = 20 * Isa::kWidth;  // two for alignment
  static constexpr size_t kWords = 5;
  static OGAS_INLINE void read(const std::byte* block, uint32_t* words) {
    words[0] = u16_at(block, 208);
    __builtin_memcpy(words + 1, block + 192, 16);
  }
  static OGAS_INLINE void pack(const RowWords<Isa>* words, std::byte* out) {
    PlainScales<Isa, false>::pack(words, out);
    for (size_t k = 0; k < 4; ++k) split_bytes<Isa>(words[1 + k], out + (2 + 4 * k) * Isa::kWidth);
  }
  OGAS_INLINE explicit Q6Scales(const std::byte* p)
      : d(Isa::load_f16(reinterpret_cast<const uint16_t*>(p))),
        bytes(reinterpret_cast<const int8_t*>(p) + 2 * Isa::kWidth) {}
  OGAS_INLINE typename Isa::Floats scale(size_t group) const {
    return Isa::mul(d, Isa::load_s8(bytes + group * Isa::kWidth));
  }
  OGAS_INLINE typename Isa::Floats offset(size_t /*group*/) const { return Isa::zero(); }
  typename Isa::Floats d;
  const int8_t* bytes;
};

template <size_t kBitsOfCode, int kBiasOfCode, class ScalesOfBlock>
struct PanelFormat {
  static constexpr size_t kBits = kBitsOfCode;
  static constexpr int kBias = kBiasOfCode;  // a power of two, or 0
  using Scales = ScalesOfBlock;
};

// Whether the set has an instruction that adds four products of bytes to each lane. The others multiply pairs into 16
// bits, of which they add up as many as fit.
template <class Isa>
concept HasDot4 = requires { Isa::dot4; };

// Whether products take both factors signed.
template <class Isa>
concept TakesSignedCodes = requires { requires Isa::kSignedCodes; };

template <class Isa>
concept HasPanels = requires { Isa::kTilePanels; };

// The formats that have panels; the others have no kBits.
template <class Isa, class Block>
struct PanelOf {};
template <class Isa>
struct PanelOf<Isa, Q4_0> : PanelFormat<4, 8, PlainScales<Isa, false>> {};
template <class Isa>
struct PanelOf<Isa, Q4_1> : PanelFormat<4, 0, PlainScales<Isa, true>> {};
template <class Isa>
struct PanelOf<Isa, Q5_0> : PanelFormat<5, 16, PlainScales<Isa, false>> {};
template <class Isa>
struct PanelOf<Isa, Q5_1> : PanelFormat<5, 0, PlainScales<Isa, true>> {};
template <class Isa>
struct PanelOf<Isa, Q8_0> : PanelFormat<8, HasDot4<Isa> && !TakesSignedCodes<Isa> ? 128 : 0, PlainScales<Isa, false>> {
};
template <class Isa>
struct PanelOf<Isa, Q4_K> : PanelFormat<4, 0, KScales<Isa>> {};
template <class Isa>
struct PanelOf<Isa, Q5_K> : PanelFormat<5, 0, KScales<Isa>> {};
template <class Isa>
struct PanelOf<Isa, Q6_K> : PanelFormat<6, 32, Q6Scales<Isa>> {};

template <class Isa, class Block>
constexpr bool has_panels() {
  return HasPanels<Isa> && requires { PanelOf<Isa, Block>::kBits; };
}

template <size_t... k>
struct ArrayIndices {};
// 0..n - 1, without the standard library.
template <size_t n, size_t... k>
struct CountTo : CountTo<n - 1, n - 1, k...> {};
template <size_t... k>
struct CountTo<0, k...> {
  using Indices = ArrayIndices<k...>;
};

template <class Isa>
inline constexpr size_t kPanelVector = 4 * Isa::kWidth;  // bytes

// 32 codes of a row, unsigned, as kBits words: word v is what vector v of a panel has of this row.
template <size_t kBits>
OGAS_INLINE void pack_codes(const int8_t* codes, uint8_t bias, uint32_t* words) {
  const auto bytes = load_lanes<Lanes32>(reinterpret_cast<const std::byte*>(codes)) + bias;
  if constexpr (kBits == 8) {
    __builtin_memcpy(words, &bytes, sizeof bytes);
  } else {
    using Words4 = VectorOf<uint32_t, 4>::Type;
    using Words8 = VectorOf<uint32_t, 8>::Type;
    Words4 halves[2];
    __builtin_memcpy(halves, &bytes, sizeof halves);
    const Words4 nibbles = (halves[0] & 0x0F0F0F0F) | (halves[1] << 4 & 0xF0F0F0F0);
    __builtin_memcpy(words, &nibbles, sizeof nibbles);
    const auto all = reinterpret_cast<Words8>(bytes);
    if constexpr (kBits > 4) {
      // The upper bits of inputs i, 4 + i, ... side by side.
      Words8 upper = kBits == 5 ? (all >> 4 & 0x01010101) << Words8{0, 1, 2, 3, 4, 5, 6, 7}
                                : (all >> 4 & 0x03030303) << Words8{0, 2, 4, 6, 0, 2, 4, 6};
      upper |= __builtin_shufflevector(upper, upper, 1, 0, 3, 2, 5, 4, 7, 6);
      upper |= __builtin_shufflevector(upper, upper, 2, 3, 0, 1, 6, 7, 4, 5);
      words[4] = kBits == 5 ? upper[0] | upper[4] : upper[0];
      if constexpr (kBits == 6) words[5] = upper[4];
    }
  }
}

// Transposes a square of words: interleaves the words of the first and the second half of the rows, repeated until each
// has moved from its row to its column.
template <class Isa, size_t... k>
OGAS_INLINE void transpose(RowWords<Isa> (&rows)[Isa::kWidth], ArrayIndices<k...>) {
  constexpr size_t kWidth = Isa::kWidth, kHalf = kWidth / 2;
#pragma GCC unroll 4
  for (size_t step = 1; step < kWidth; step *= 2) {
    RowWords<Isa> mixed[kWidth];
#pragma GCC unroll 8
    for (size_t i = 0; i < kHalf; ++i) {
      mixed[2 * i] = __builtin_shufflevector(rows[i], rows[i + kHalf], (k % 2 * kWidth + k / 2)...);
      mixed[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + kHalf], (k % 2 * kWidth + kHalf + k / 2)...);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < kWidth; ++i) rows[i] = mixed[i];
  }
}

// Bytes of 32 inputs' codes.
template <class Isa, class Block>
constexpr size_t kCodeBytes = PanelOf<Isa, Block>::kBits * kPanelVector<Isa>;

// Bytes of n inputs of a panel.
template <class Isa, class Block>
constexpr size_t section_bytes(size_t n) {
  return n / 32 * kCodeBytes<Isa, Block> + n / Block::values * PanelOf<Isa, Block>::Scales::kBytes;
}

template <class Isa, class Block>
constexpr size_t panel_bytes_of(size_t n_in) {
  return (section_bytes<Isa, Block>(n_in) + kPanelAlignment - 1) / kPanelAlignment * kPanelAlignment;
}

// The section of a panel that begins with input `begin`. Byte: std::byte, const or not.
template <class Isa, class Block, class Byte>
struct Section {
  using Scales = typename PanelOf<Isa, Block>::Scales;
  OGAS_INLINE Section(Byte* panel, size_t n_in, size_t begin)
      : n(n_in - begin < kSection ? n_in - begin : kSection),
        scales(panel + begin / kSection * section_bytes<Isa, Block>(kSection)),
        codes(scales + n / Block::values * Scales::kBytes) {}
  // Of the block that has input i of this section.
  OGAS_INLINE Byte* scales_of(size_t i) const { return scales + i / Block::values * Scales::kBytes; }
  // Of inputs i..i + 31 of this section.
  OGAS_INLINE Byte* codes_of(size_t i) const { return codes + i / 32 * kCodeBytes<Isa, Block>; }

  size_t n;  // inputs
  Byte *scales, *codes;
};

// A section of some rows of weights, as words: first a row's part of each vector of codes, then of each block's scales.
// Rows are kWords apart.
template <class Isa, class Block>
struct SectionWords {
  using Panel = PanelOf<Isa, Block>;
  static constexpr size_t kBlocks = kSection / Block::values;
  static constexpr size_t kCodeWords = kSection / 32 * Panel::kBits;
  static constexpr size_t kUsed = kCodeWords + kBlocks * Panel::Scales::kWords;
  static constexpr size_t kWords = (kUsed + Isa::kWidth - 1) / Isa::kWidth * Isa::kWidth;  // whole squares

  // bytes_ahead: the distance from these blocks to those of the same row in the next panel. They are prefetched, since
  // no hardware prefetcher follows reads that are interleaved by row.
  OGAS_INLINE void read(size_t row, const std::byte* block, size_t n_blocks, size_t bytes_ahead) {
    uint32_t *codes_to = of_row[row], *scales_to = codes_to + kCodeWords;
    for (size_t line = 0; line < n_blocks * Block::bytes; line += kCacheLine)
      Isa::prefetch_to_l2(block + bytes_ahead + line);
    for (size_t b = 0; b < n_blocks; ++b, block += Block::bytes) {
      int8_t codes[Block::values];
      float scales[Block::values / Block::group], offsets[Block::values / Block::group];
      Block::unpack(block, codes, scales, offsets);
      for (size_t i = 0; i < Block::values; i += 32, codes_to += Panel::kBits)
        pack_codes<Panel::kBits>(codes + i, static_cast<uint8_t>(Panel::kBias), codes_to);
      Panel::Scales::read(block, scales_to);
      scales_to += Panel::Scales::kWords;
    }
  }

  OGAS_INLINE void write(const Section<Isa, Block, std::byte>& section) {
    RowWords<Isa> columns[kWords];
    for (size_t first = 0; first < kWords; first += Isa::kWidth) {
      RowWords<Isa> square[Isa::kWidth];
      for (size_t row = 0; row < Isa::kWidth; ++row)
        __builtin_memcpy(&square[row], of_row[row] + first, sizeof square[row]);
      transpose<Isa>(square, typename CountTo<Isa::kWidth>::Indices{});
      for (size_t k = 0; k < Isa::kWidth; ++k) columns[first + k] = square[k];
    }
    __builtin_memcpy(section.codes, columns, section.n / 32 * kCodeBytes<Isa, Block>);
    for (size_t b = 0; b < section.n / Block::values; ++b)
      Panel::Scales::pack(columns + kCodeWords + b * Panel::Scales::kWords, section.scales_of(b * Block::values));
  }

  // Rows that are not read stay zeros, also in the panel.
  alignas(kPanelAlignment) uint32_t of_row[Isa::kWidth][kWords] = {};
};

template <class Isa, class Block>
void pack_rows(const PackArgs& args) {
  const size_t n_blocks = args.n_in / Block::values;
  const size_t bytes_ahead = args.n_rows * args.row_step * n_blocks * Block::bytes;
  SectionWords<Isa, Block> words;
  for (size_t begin = 0; begin < args.n_in; begin += kSection) {
    const Section<Isa, Block, std::byte> section(args.panel, args.n_in, begin);
    for (size_t row = 0; row < args.n_rows; ++row) {
      const size_t first_block = (args.first_row + row * args.row_step) * n_blocks + begin / Block::values;
      words.read(row, args.weights + first_block * Block::bytes, section.n / Block::values, bytes_ahead);
    }
    words.write(section);
  }
}

// 32 inputs of a panel, as eight vectors of unsigned bytes: vector k holds inputs 4 k..4 k + 3 of each row.
template <class Isa, size_t kBits>
OGAS_INLINE void unpack_panel(const std::byte* p, typename Isa::Bytes (&codes)[8]) {
  const auto load = [&](size_t vector) { return Isa::load_bytes(p + vector * kPanelVector<Isa>); };
  if constexpr (kBits == 8) {
    for (size_t k = 0; k < 8; ++k) codes[k] = load(k);
    return;
  }
  for (size_t v = 0; v < 4; ++v) {
    const auto both = load(v);
    codes[v] = Isa::and_bytes(both, 15);
    codes[4 + v] = Isa::and_bytes(Isa::template shift_right<4>(both), 15);
  }
  const auto add_upper = [&]<size_t k>(typename Isa::Bytes upper, uint8_t mask) {
    // kBits == 5: bit k to bit 4; kBits == 6: bits 2 k and 2 k + 1 to bits 4 and 5.
    constexpr int kFrom = kBits == 5 ? static_cast<int>(k) : 2 * static_cast<int>(k % 4);
    if constexpr (kFrom < 4)
      upper = Isa::template shift_left<4 - kFrom>(upper);
    else
      upper = Isa::template shift_right<kFrom - 4>(upper);
    codes[k] = Isa::or_bytes(codes[k], Isa::and_bytes(upper, mask));
  };
  if constexpr (kBits > 4) {
    const typename Isa::Bytes uppers[2] = {load(4), load(kBits == 5 ? 4 : 5)};
    const auto all = [&]<size_t... k>(ArrayIndices<k...>) {
      (add_upper.template operator()<k>(uppers[k / 4], kBits == 5 ? 16 : 48), ...);
    };
    all(ArrayIndices<0, 1, 2, 3, 4, 5, 6, 7>{});
  }
}

// One row of a panel as floats: bit for bit what the file's block would decode to.
template <class Isa, class Block>
void read_row_of(const std::byte* panel, size_t n_in, size_t row, float* values) {
  using Panel = PanelOf<Isa, Block>;
  const auto lane = [&](typename Isa::Floats vector) {
    float lanes[Isa::kWidth];
    Isa::store(lanes, vector);
    return lanes[row];
  };
  for (size_t begin = 0; begin < n_in; begin += kSection) {
    const Section<Isa, Block, const std::byte> section(panel, n_in, begin);
    for (size_t i = 0; i < section.n; i += 32) {
      const typename Panel::Scales scales(section.scales_of(i));
      typename Isa::Bytes vectors[8];
      unpack_panel<Isa, Panel::kBits>(section.codes_of(i), vectors);
      uint8_t bytes[8][kPanelVector<Isa>];
      for (size_t k = 0; k < 8; ++k) Isa::store_bytes(reinterpret_cast<std::byte*>(bytes[k]), vectors[k]);
      for (size_t j = 0; j < 32; j += Block::group) {
        const size_t group = (i + j) % Block::values / Block::group;
        const float scale = lane(scales.scale(group));
        float offset = 0;
        if constexpr (Block::has_offset) offset = lane(scales.offset(group));
        for (size_t at = j; at < j + Block::group; ++at) {
          const uint8_t byte = bytes[at / 4][4 * row + at % 4];
          const int code = Panel::kBits == 8 && Panel::kBias == 0 ? static_cast<int8_t>(byte) : byte - Panel::kBias;
          float& value = values[begin + i + at];
          value = scale * static_cast<float>(code);
          // No zero is added where there is no offset: it would lose the sign of a negative zero.
          if constexpr (Block::has_offset) value += offset;
        }
      }
    }
  }
}

// Calls run<Block>() where the format has panels.
template <class Isa, class Run>
OGAS_INLINE void with_panel_block(Format format, const Run& run) {
  with_block(format, [&]<class Block>() OGAS_LAMBDA_INLINE {
    if constexpr (has_panels<Isa, Block>()) run.template operator()<Block>();
  });
}

template <class Isa>
void read_panel_row(Format format, const std::byte* panel, size_t n_in, size_t row, float* values) {
  with_panel_block<Isa>(format, [&]<class Block>() { read_row_of<Isa, Block>(panel, n_in, row, values); });
}

template <class Isa>
size_t panel_bytes(Format format, size_t n_in) {
  size_t bytes = 0;
  with_panel_block<Isa>(format, [&]<class Block>() { bytes = panel_bytes_of<Isa, Block>(n_in); });
  return bytes;
}

template <class Isa>
void pack_panel(const PackArgs& args) {
  with_panel_block<Isa>(args.format, [&]<class Block>() { pack_rows<Isa, Block>(args); });
}

}  // namespace
}  // namespace ogas
