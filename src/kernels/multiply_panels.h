// Panels (panels.h) times quantized activations.
//
// Directly: codes go from memory through registers to the sums of a few tokens; a panel stays in the L2 cache until all
// tokens are multiplied with it, and is unpacked again for every few. By tiles: a tile of a few panels is unpacked into
// the L1 cache once for a block of tokens, and multiplied with kTileTokens of them at a time, so that a vector of
// weights serves several tokens and four activations serve several panels. Which is faster depends on the cost of
// unpacking and on the number of tokens. Either way a lane's sum for 32 inputs is exact, and it is added to the token's
// total in the order of the inputs by the same operations: the bits do not depend on the number of tokens.
//
// The bound: in addition to the 8 sums of four products, 32 inputs of kWidth rows cost a conversion, a product with the
// weights' scale and one with the activations', and one more if there is an offset. Where all of these share the units
// of the dot product (Intel), at most 8 / 11 or 8 / 12 of its peak can be reached; where conversions do not (Zen 4), or
// are not needed (ReadingScale), 8 / 10 or 8 / 11.
#pragma once

#include "kernels/panels.h"
#include "kernels/tuning.h"

namespace ogas {
namespace {

// The maximum number of tokens a tile is unpacked for: their totals and their part of the codes stay in the L2 cache. A
// multiple of all numbers of tokens that are multiplied at a time.
constexpr size_t kTokenBlock = 192, kTokenStep = 12;
// Tokens whose sums stay in registers together with a panel's codes; then the number of tokens up to which unpacking
// again for each such group is faster than making a tile. Codes of 8 bits need no unpacking and use tiles from two
// tokens on.
template <class Isa, class Block>
constexpr size_t kDirectTokens = PanelOf<Isa, Block>::kBits == 8 ? 1 : Isa::direct_tokens(Block::has_offset);
template <class Isa, class Block>
constexpr size_t kMaxDirectly = PanelOf<Isa, Block>::kBits == 8 ? 1 : Isa::max_directly(PanelOf<Isa, Block>::kBits);
// A block of tokens that are multiplied with a panel directly: the size of their codes, and their minimum number.
constexpr size_t kBytesOfDirectBlock = size_t{384} << 10, kMinDirectBlock = 24;
// What the product needs to know of a format once its codes are unpacked.
template <int kLargestOfCodes, int kBiasOfCode, size_t kGroupOfCode, bool kWithOffset>
struct CodeShape {
  static constexpr int kLargest = kLargestOfCodes;  // magnitude; 128: codes are signed
  static constexpr int kBias = kBiasOfCode;
  static constexpr size_t kGroup = kGroupOfCode;
  static constexpr bool kHasOffset = kWithOffset;
};

template <class Isa, class Block>
inline constexpr int kLargestCode = PanelOf<Isa, Block>::kBits == 8 ? 128 : (1 << PanelOf<Isa, Block>::kBits) - 1;

// As stored in the panel.
template <class Isa, class Block>
using ShapeOf = CodeShape<kLargestCode<Isa, Block>, PanelOf<Isa, Block>::kBias, Block::group, Block::has_offset>;

// Whether codes in a tile have lost their bias (which is half of what the bits hold).
template <class Isa, class Block>
inline constexpr bool kUnbiasesTile = TakesSignedCodes<Isa> && PanelOf<Isa, Block>::kBias != 0;

// As stored in a tile.
template <class Isa, class Block>
using TileShapeOf =
    CodeShape<kUnbiasesTile<Isa, Block> ? PanelOf<Isa, Block>::kBias : kLargestCode<Isa, Block>,
              kUnbiasesTile<Isa, Block> ? 0 : PanelOf<Isa, Block>::kBias, Block::group, Block::has_offset>;

// The scale of a group of weights: the start value of the group's sum, and how the sum is scaled.
template <class Isa>
struct ConvertingScale {
  typename Isa::Floats scale;
  OGAS_INLINE typename Isa::Ints start() const { return Isa::set1_int(0); }
  OGAS_INLINE typename Isa::Floats times(typename Isa::Ints sum) const { return Isa::mul(Isa::to_floats(sum), scale); }
  OGAS_INLINE typename Isa::Floats plus(typename Isa::Ints sum, typename Isa::Floats part) const {
    return Isa::fma(Isa::to_floats(sum), scale, part);
  }
};

// Without a conversion: a sum n, |n| < 2^22, that starts from the bits of the float 1.5 * 2^23 ends as those of
// 1.5 * 2^23 + n, and fma(1.5 * 2^23 + n, scale, -1.5 * 2^23 * scale) is n * scale, rounded once, as above. (The
// addend is exact: an F16 times a byte has at most 19 bits, times 3 two more.)
inline constexpr float kStartOfSums = 12582912;

template <class Isa>
concept ReadsSums = requires { Isa::reload; };

template <class Isa>
struct ReadingScale {
  typename Isa::Floats scale;
  const typename Isa::Floats *minus_start, *start_of_sums;
  OGAS_INLINE typename Isa::Ints start() const { return Isa::floats_as_bits(Isa::reload(start_of_sums)); }
  OGAS_INLINE typename Isa::Floats times(typename Isa::Ints sum) const {
    return Isa::fma(Isa::bits_as_floats(sum), scale, Isa::reload(minus_start));
  }
  OGAS_INLINE typename Isa::Floats plus(typename Isa::Ints sum, typename Isa::Floats part) const {
    return Isa::fma(Isa::sub(Isa::bits_as_floats(sum), Isa::set1(kStartOfSums)), scale, part);
  }
};

// The activations that panels are multiplied with, one token in each vector.
template <class Isa>
struct SingleTokens {
  static constexpr size_t kInputs = 4;  // of each row in a vector of weights
  const QuantizedRow* x;
  // For step k of the inputs from i on.
  OGAS_INLINE auto codes(size_t t, size_t i, size_t k) const { return Isa::four_at(x[t].codes + i, k); }
  OGAS_INLINE auto scale(size_t t, size_t i) const { return Isa::load_scalar(&x[t].scales[i / 32]); }
  OGAS_INLINE auto sum(size_t t, size_t i) const { return Isa::load_scalar(&x[t].sums32[i / 32]); }
  static OGAS_INLINE auto dot(typename Isa::Ints sums, typename Isa::Bytes w, auto codes) {
    return Isa::dot4(sums, w, codes);
  }
  static OGAS_INLINE auto fma(typename Isa::Floats a, auto b, typename Isa::Floats c) {
    return Isa::fma_scalar(a, b, c);
  }
};

// Whether the set has an instruction that multiplies two rows with two tokens: tiles then hold two rows in a vector,
// with eight inputs of each, and sums are [row][token].
template <class Isa>
concept MultipliesPairs = requires { Isa::dot8; };

// Two tokens in each vector; of an odd number, the last one twice.
template <class Isa, size_t kTokens>
struct TokenPairs {
  static constexpr size_t kInputs = 8;
  const QuantizedRow* x;
  OGAS_INLINE const QuantizedRow& first(size_t pair) const { return x[2 * pair]; }
  OGAS_INLINE const QuantizedRow& second(size_t pair) const { return x[2 * pair + (2 * pair + 1 < kTokens ? 1 : 0)]; }
  OGAS_INLINE auto codes(size_t pair, size_t i, size_t k) const {
    return Isa::two_eights_at(first(pair).codes + i, second(pair).codes + i, k);
  }
  OGAS_INLINE auto scale(size_t pair, size_t i) const {
    return Isa::load_two(&first(pair).scales[i / 32], &second(pair).scales[i / 32]);
  }
  OGAS_INLINE auto sum(size_t pair, size_t i) const {
    return Isa::load_two(&first(pair).sums32[i / 32], &second(pair).sums32[i / 32]);
  }
  static OGAS_INLINE auto dot(typename Isa::Ints sums, typename Isa::Bytes w, auto codes) {
    return Isa::dot8(sums, w, codes);
  }
  static OGAS_INLINE auto fma(typename Isa::Floats a, auto b, typename Isa::Floats c) { return Isa::fma(a, b, c); }
};

// Sums of a group before its products.
template <class Isa, class Shape, size_t kPanels, size_t kTokens, class Scales, class Tokens>
OGAS_INLINE void start_sums(const Scales& scale_at, size_t group, const Tokens& tokens, size_t i,
                            typename Isa::Ints (&sums)[kPanels][kTokens]) {
#pragma GCC unroll 8
  for (size_t t = 0; t < kTokens; ++t) {
    if constexpr (Shape::kBias == 0) {
#pragma GCC unroll 8
      for (size_t p = 0; p < kPanels; ++p) sums[p][t] = scale_at(p, group).start();
    } else {
      sums[0][t] = Isa::template shift_ints_left<__builtin_ctz(Shape::kBias)>(
          Isa::set1_int(Shape::kGroup == 32 ? tokens.x[t].minus_codes32[i / 32] : tokens.x[t].minus_codes16[i / 16]));
#pragma GCC unroll 8
      for (size_t p = 1; p < kPanels; ++p) sums[p][t] = sums[0][t];
    }
  }
}

// Vectors of pairs of products that can be added up in 16 bits.
template <int kLargest>
constexpr size_t kPairsInShort = 32767 / (kLargest * 127 * 2);

// A sum of integers in order. The compiler would form it as a tree, whose parts do not fit 16 registers.
template <class Isa, class Sum>
OGAS_INLINE void keep_in_order(Sum& sum) {
  if constexpr (requires { Isa::keep_in_order(sum); }) Isa::keep_in_order(sum);
}

// sums[p][t] += kSteps vectors of each panel's codes times the activations of each token, from i on.
// codes_at(p, k): vector k of panel p.
template <class Isa, int kLargest, size_t kSteps, size_t kPanels, size_t kTokens, class Codes, class Tokens>
OGAS_INLINE void add_products(const Codes& codes_at, const Tokens& tokens, size_t i,
                              typename Isa::Ints (&sums)[kPanels][kTokens]) {
  if constexpr (HasDot4<Isa>) {
#pragma GCC unroll 8
    for (size_t k = 0; k < kSteps; ++k) {
      typename Isa::Bytes w[kPanels];
#pragma GCC unroll 8
      for (size_t p = 0; p < kPanels; ++p) w[p] = codes_at(p, k);
#pragma GCC unroll 8
      for (size_t t = 0; t < kTokens; ++t) {
        const auto codes = tokens.codes(t, i, k);
#pragma GCC unroll 8
        for (size_t p = 0; p < kPanels; ++p) sums[p][t] = Tokens::dot(sums[p][t], w[p], codes);
      }
    }
  } else {
    constexpr size_t kRun = kPairsInShort<kLargest> < kSteps ? kPairsInShort<kLargest> : kSteps;
#pragma GCC unroll 8
    for (size_t begin = 0; begin < kSteps; begin += kRun) {
      typename Isa::Pairs pairs[kPanels][kTokens];
#pragma GCC unroll 8
      for (size_t k = begin; k < begin + kRun; ++k) {
        typename Isa::Bytes w[kPanels];
#pragma GCC unroll 8
        for (size_t p = 0; p < kPanels; ++p) w[p] = codes_at(p, k);
#pragma GCC unroll 8
        for (size_t t = 0; t < kTokens; ++t) {
          const auto four = tokens.codes(t, i, k);
#pragma GCC unroll 8
          for (size_t p = 0; p < kPanels; ++p) {
            const auto product = kLargest == 128 ? Isa::signed_pairs(w[p], four) : Isa::unsigned_pairs(w[p], four);
            pairs[p][t] = k == begin ? product : Isa::add_shorts(pairs[p][t], product);
            keep_in_order<Isa>(pairs[p][t]);
          }
        }
      }
#pragma GCC unroll 8
      for (size_t p = 0; p < kPanels; ++p)
#pragma GCC unroll 8
        for (size_t t = 0; t < kTokens; ++t) {
          sums[p][t] = Isa::add_ints(sums[p][t], Isa::add_neighbours(pairs[p][t]));
          if constexpr (kRun < kSteps) keep_in_order<Isa>(sums[p][t]);
        }
    }
  }
}

// totals[t * kPanels + p] += 32 inputs, from i on. codes_at(p, k): vector k of those that hold them; scale_at(p,
// group): a ConvertingScale or a ReadingScale; offset_at(p).
template <class Isa, class Shape, size_t kPanels, size_t kTokens, class Tokens, class Codes, class Scales,
          class Offsets>
OGAS_INLINE void add_block(const Codes& codes_at, const Scales& scale_at, const Offsets& offset_at,
                           const Tokens& tokens, size_t i, typename Isa::Floats* totals) {
  constexpr size_t kSteps = Shape::kGroup / Tokens::kInputs;
  typename Isa::Floats parts[kPanels][kTokens];
#pragma GCC unroll 2
  for (size_t group = 0; group < 32 / Shape::kGroup; ++group) {
    const size_t at = i + group * Shape::kGroup;
    typename Isa::Ints sums[kPanels][kTokens];
    start_sums<Isa, Shape>(scale_at, group, tokens, at, sums);
    add_products<Isa, Shape::kLargest, kSteps, kPanels, kTokens>(
        [&](size_t p, size_t k) OGAS_LAMBDA_INLINE { return codes_at(p, group * kSteps + k); }, tokens, at, sums);
#pragma GCC unroll 8
    for (size_t p = 0; p < kPanels; ++p) {
      const auto scale = scale_at(p, group);
#pragma GCC unroll 8
      for (size_t t = 0; t < kTokens; ++t)
        parts[p][t] = group == 0 ? scale.times(sums[p][t]) : scale.plus(sums[p][t], parts[p][t]);
    }
  }
#pragma GCC unroll 8
  for (size_t t = 0; t < kTokens; ++t) {
    auto x_scale = tokens.scale(t, i);
    decltype(x_scale) x_sum{};
    if constexpr (Shape::kHasOffset) x_sum = tokens.sum(t, i);
#pragma GCC unroll 8
    for (size_t p = 0; p < kPanels; ++p) {
      auto& total = totals[t * kPanels + p];
      total = Tokens::fma(parts[p][t], x_scale, total);
      if constexpr (Shape::kHasOffset) total = Tokens::fma(offset_at(p), x_sum, total);
    }
  }
}

// One panel, straight from memory.
template <class Isa, class Block, size_t kTokens>
OGAS_INLINE void multiply_panel(const std::byte* panel, const QuantizedRow* x, size_t n_in,
                                typename Isa::Floats (&totals)[kTokens]) {
  using Panel = PanelOf<Isa, Block>;
  for (size_t t = 0; t < kTokens; ++t) totals[t] = Isa::zero();
  for (size_t begin = 0; begin < n_in; begin += kSection) {
    const Section<Isa, Block, const std::byte> section(panel, n_in, begin);
    for (const std::byte* line = section.scales; line < section.codes; line += kCacheLine)
      prefetch<Isa, kTokens == 1>(line);
    for (size_t block = 0; block < section.n; block += Block::values) {
      const typename Panel::Scales scales(section.scales_of(block));
      for (size_t i = block; i < block + Block::values; i += 32) {
        const std::byte* codes = section.codes_of(i);
        for (size_t at = 0; at < kCodeBytes<Isa, Block>; at += kCacheLine) prefetch<Isa, kTokens == 1>(codes + at);
        typename Isa::Bytes w[8];
        unpack_panel<Isa, Panel::kBits>(codes, w);
        const size_t first_group = (i - block) / Block::group;
        add_block<Isa, ShapeOf<Isa, Block>, 1, kTokens>(
            [&](size_t, size_t k) OGAS_LAMBDA_INLINE { return w[k]; },
            [&](size_t, size_t group)
                OGAS_LAMBDA_INLINE { return ConvertingScale<Isa>{scales.scale(first_group + group)}; },
            [&](size_t) OGAS_LAMBDA_INLINE { return scales.offset(first_group); }, SingleTokens<Isa>{x}, begin + i,
            totals);
      }
    }
  }
}

// A section of some panels, unpacked. Where two tokens are multiplied at once, a vector of codes holds
// two rows, and a panel's four rows are two parts: the first rows of all panels, then the others.
template <class Isa, size_t kPanels>
struct PanelTile {
  static constexpr size_t kParts = MultipliesPairs<Isa> ? 2 * kPanels : kPanels;
  alignas(kPanelAlignment) std::byte buffer[kPanels][kSection * Isa::kWidth];
  const std::byte* codes[kPanels];                     // eight vectors for each 32 inputs
  typename Isa::Floats scales[kParts][kSection / 16];  // of each group
  typename Isa::Floats offsets[kParts][kSection / 32];
  // Of a ReadingScale; else not written.
  typename Isa::Floats minus_starts[kParts][kSection / 16], start_of_sums;
  OGAS_INLINE auto scale_at(size_t p, size_t group) const {
    if constexpr (ReadsSums<Isa>)
      return ReadingScale<Isa>{scales[p][group], &minus_starts[p][group], &start_of_sums};
    else
      return ConvertingScale<Isa>{scales[p][group]};
  }
};

template <class Isa, size_t kPanels>
OGAS_INLINE void set_scale(PanelTile<Isa, kPanels>& tile, size_t part, size_t group, typename Isa::Floats scale) {
  tile.scales[part][group] = scale;
  if constexpr (ReadsSums<Isa>) tile.minus_starts[part][group] = Isa::mul(scale, Isa::set1(-kStartOfSums));
}

// Codes of 32 inputs, ready to be multiplied.
template <class Isa, class Block>
OGAS_INLINE void unpack_for_tile(const std::byte* codes, typename Isa::Bytes (&w)[8]) {
  unpack_panel<Isa, PanelOf<Isa, Block>::kBits>(codes, w);
  if constexpr (kUnbiasesTile<Isa, Block>)
#pragma GCC unroll 8
    for (auto& vector : w) vector = Isa::subtract_from_bytes(vector, PanelOf<Isa, Block>::kBias);
  if constexpr (MultipliesPairs<Isa>)
#pragma GCC unroll 4
    for (size_t k = 0; k < 8; k += 2) Isa::join_fours(w[k], w[k + 1]);
}

// A section of one panel.
template <class Isa, class Block, size_t kPanels>
OGAS_INLINE void unpack_tile(const Section<Isa, Block, const std::byte>& section, size_t p,
                             PanelTile<Isa, kPanels>& tile) {
  constexpr size_t kGroups = Block::values / Block::group;
  constexpr bool kIsReady = PanelOf<Isa, Block>::kBits == 8 && !MultipliesPairs<Isa>;
  tile.codes[p] = kIsReady ? section.codes : tile.buffer[p];
  if constexpr (!kIsReady) {
    for (size_t b = 0; b < section.n / 32; ++b) {
      typename Isa::Bytes w[8];
      unpack_for_tile<Isa, Block>(section.codes_of(32 * b), w);
#pragma GCC unroll 8
      for (size_t k = 0; k < 8; ++k) Isa::store_bytes(tile.buffer[p] + (8 * b + k) * kPanelVector<Isa>, w[k]);
    }
  }
  for (size_t b = 0; b < section.n / Block::values; ++b) {
    const typename PanelOf<Isa, Block>::Scales scales(section.scales_of(b * Block::values));
    for (size_t group = 0; group < kGroups; ++group) {
      const size_t at = b * kGroups + group;
      if constexpr (MultipliesPairs<Isa>) {
        for (size_t half = 0; half < 2; ++half) {
          const size_t part = half * kPanels + p;
          set_scale(tile, part, at, Isa::each_twice(scales.scale(group), half));
          if constexpr (Block::has_offset) tile.offsets[part][at] = Isa::each_twice(scales.offset(group), half);
        }
      } else {
        set_scale(tile, p, at, scales.scale(group));
        if constexpr (Block::has_offset) tile.offsets[p][at] = scales.offset(group);
      }
    }
  }
}

// Prefetches what is unpacked next, a few lines of each panel with each step, while this section is multiplied. All at
// once would stall: a core has about 24 requests in flight.
template <class Isa, class Block, size_t kPanels>
class NextSections {
 public:
  // first: the panel of those whose section from input i on is in use. n_steps: of one section.
  OGAS_INLINE NextSections(const std::byte* first, size_t n_in, size_t i, size_t n_steps) {
    const size_t bytes = panel_bytes_of<Isa, Block>(n_in),
                 next = (i / kSection + 1) * section_bytes<Isa, Block>(kSection);
    // After the last section, those of the next panels.
    const std::byte* from = i + kSection < n_in ? first + next : first + kPanels * bytes;
    for (size_t p = 0; p < kPanels; ++p) from_[p] = from + p * bytes;
    const size_t n_lines = section_bytes<Isa, Block>(kSection) / kCacheLine + 1;
    left_ = n_lines;
    of_step_ = (n_lines + n_steps - 1) / n_steps;
  }

  OGAS_INLINE void step() {
    for (size_t n = 0; n < of_step_ && left_ > 0; ++n, --left_) {
#pragma GCC unroll 4
      for (size_t p = 0; p < kPanels; ++p, from_[p - 1] += kCacheLine) Isa::prefetch_to_l2(from_[p]);
    }
  }

 private:
  const std::byte* from_[kPanels];
  size_t left_, of_step_;  // lines of each panel
};

// totals[kTokens][kPanels], of pairs of tokens [(kTokens + 1) / 2][2 * kPanels], += a tile of n inputs, from i on,
// times some tokens.
template <class Isa, class Shape, size_t kPanels, size_t kTokens>
__attribute__((noinline)) void multiply_tile(const PanelTile<Isa, kPanels>& tile, const QuantizedRow* x, size_t i,
                                             size_t n, typename Isa::Floats* totals) {
  constexpr size_t kGroups = 32 / Shape::kGroup, kParts = PanelTile<Isa, kPanels>::kParts;
  constexpr size_t kColumns = MultipliesPairs<Isa> ? (kTokens + 1) / 2 : kTokens;
  // In registers: through a pointer they would be stored block by block, since they might alias a factor.
  typename Isa::Floats mine[kColumns * kParts];
#pragma GCC unroll 16
  for (size_t idx = 0; idx < kColumns * kParts; ++idx) mine[idx] = totals[idx];
  for (size_t b = 0; b < n / 32; ++b) {
    // Vector k of a part, or of its panel, every second of which is the part's.
    const auto codes_at = [&](size_t part, size_t k) OGAS_LAMBDA_INLINE {
      const size_t vector = MultipliesPairs<Isa> ? 2 * k + part / kPanels : k;
      return Isa::load_bytes(tile.codes[part % kPanels] + (8 * b + vector) * kPanelVector<Isa>);
    };
    const auto scale_in_block = [&](size_t part, size_t group)
                                    OGAS_LAMBDA_INLINE { return tile.scale_at(part, b * kGroups + group); };
    const auto offset_at = [&](size_t part) OGAS_LAMBDA_INLINE { return tile.offsets[part][b]; };
    if constexpr (MultipliesPairs<Isa>)
      add_block<Isa, Shape, kParts, kColumns>(codes_at, scale_in_block, offset_at, TokenPairs<Isa, kTokens>{x},
                                              i + 32 * b, mine);
    else
      add_block<Isa, Shape, kParts, kColumns>(codes_at, scale_in_block, offset_at, SingleTokens<Isa>{x}, i + 32 * b,
                                              mine);
  }
#pragma GCC unroll 16
  for (size_t idx = 0; idx < kColumns * kParts; ++idx) totals[idx] = mine[idx];
}

// Writes those of a panel's lanes that are within the requested rows. row: of the first lane, among all rows.
template <class Isa>
OGAS_INLINE void store_panel(const MatmulArgs& args, typename Isa::Floats total, size_t row, size_t t) {
  const size_t begin = args.panel_row + args.o_begin, end = args.panel_row + args.o_end;
  float* y = args.y + t * args.y_stride;
  if (row >= begin && row + Isa::kWidth <= end) return Isa::store(y + (row - begin), total);
  float lanes[Isa::kWidth];
  Isa::store(lanes, total);
  for (size_t lane = 0; lane < Isa::kWidth; ++lane)
    if (row + lane >= begin && row + lane < end) y[row + lane - begin] = lanes[lane];
}

// kPanels panels from `panel` on times up to kTokenBlock tokens from t_begin on.
template <class Isa, class Block, size_t kPanels>
void multiply_token_block(const MatmulArgs& args, size_t panel, size_t t_begin, size_t n_tokens) {
  using Shape = TileShapeOf<Isa, Block>;
  // Groups of 16 need registers for their parts, too.
  constexpr size_t kMax = Shape::kGroup == 32 ? Isa::kTileTokens : Isa::kTileTokensBy16;
  const size_t bytes = panel_bytes_of<Isa, Block>(args.n_in);
  PanelTile<Isa, kPanels> tile;
  if constexpr (ReadsSums<Isa>) tile.start_of_sums = Isa::set1(kStartOfSums);
  typename Isa::Floats totals[kTokenBlock * kPanels];
  const size_t n_columns = MultipliesPairs<Isa> ? (n_tokens + 1) / 2 * 2 : n_tokens;
  for (size_t idx = 0; idx < n_columns * kPanels; ++idx) totals[idx] = Isa::zero();
  for (size_t i = 0; i < args.n_in; i += kSection) {
    const size_t n = args.n_in - i < kSection ? args.n_in - i : kSection;
    for (size_t p = 0; p < kPanels; ++p)
      unpack_tile<Isa, Block>({args.panels + (panel + p) * bytes, args.n_in, i}, p, tile);
    size_t t = 0;
    NextSections<Isa, Block, kPanels> next(args.panels + panel * bytes, args.n_in, i, n_tokens / kMax + 1);
    const auto run = [&]<size_t kTokens>() {
      for (; t + kTokens <= n_tokens; t += kTokens) {
        next.step();
        multiply_tile<Isa, Shape, kPanels, kTokens>(tile, args.quantized + t_begin + t, i, n, totals + t * kPanels);
      }
    };
    run.template operator()<kMax>();
    if constexpr (kMax > 4) run.template operator()<4>();
    if constexpr (kMax > 3 && !MultipliesPairs<Isa>) run.template operator()<3>();
    if constexpr (kMax > 2) run.template operator()<2>();
    run.template operator()<1>();
  }
  if constexpr (MultipliesPairs<Isa>)
    for (size_t t = 0; t < n_columns; t += 2)
      for (size_t p = 0; p < kPanels; ++p) Isa::part_tokens(totals[t * kPanels + p], totals[(t + 1) * kPanels + p]);
  for (size_t t = 0; t < n_tokens; ++t)
    for (size_t p = 0; p < kPanels; ++p)
      store_panel<Isa>(args, totals[t * kPanels + p], (panel + p) * Isa::kWidth, t_begin + t);
}

// kTokens tokens from t on. (A separate function, as multiply_tile is, so that profiles name it.)
template <class Isa, class Block, size_t kTokens>
__attribute__((noinline)) void multiply_directly(const MatmulArgs& args, size_t panel, size_t t) {
  typename Isa::Floats totals[kTokens];
  const std::byte* begin = args.panels + panel * panel_bytes_of<Isa, Block>(args.n_in);
  multiply_panel<Isa, Block, kTokens>(begin, args.quantized + t, args.n_in, totals);
  for (size_t idx = 0; idx < kTokens; ++idx) store_panel<Isa>(args, totals[idx], panel * Isa::kWidth, t + idx);
}

template <class Isa, class Block, size_t kMax>
OGAS_INLINE void multiply_few(const MatmulArgs& args, size_t panel, size_t t, size_t n_tokens) {
  if (n_tokens == kMax) return multiply_directly<Isa, Block, kMax>(args, panel, t);
  if constexpr (kMax > 1) multiply_few<Isa, Block, kMax - 1>(args, panel, t, n_tokens);
}

// All tokens in blocks whose codes stay in the L2 cache, as do the panels until they are multiplied with the whole
// block; within a block in runs of about the same length.
template <class Isa, class Block>
void multiply_all_directly(const MatmulArgs& args, size_t first, size_t end) {
  constexpr size_t kMax = kDirectTokens<Isa, Block>;
  const size_t fitting = kBytesOfDirectBlock / args.n_in / kMax * kMax;
  const size_t max = fitting < kMinDirectBlock ? kMinDirectBlock : fitting;
  const size_t n_blocks = (args.n_tokens + max - 1) / max;
  for (size_t block = 0; block < n_blocks; ++block) {
    const size_t t_begin = args.n_tokens * block / n_blocks, n = args.n_tokens * (block + 1) / n_blocks - t_begin;
    const size_t n_runs = (n + kMax - 1) / kMax;
    for (size_t panel = first; panel < end; ++panel)
      for (size_t run = 0; run < n_runs; ++run) {
        const size_t t = n * run / n_runs;
        multiply_few<Isa, Block, kMax>(args, panel, t_begin + t, n * (run + 1) / n_runs - t);
      }
  }
}

// Panels outside, tokens inside: a tile's panels stay in the L2 cache until they are multiplied with all tokens.
template <class Isa, class Block>
void matmul_panels_of(const MatmulArgs& args) {
  const size_t first = (args.panel_row + args.o_begin) / Isa::kWidth;
  const size_t end = (args.panel_row + args.o_end + Isa::kWidth - 1) / Isa::kWidth;
  size_t max_directly = kMaxDirectly<Isa, Block>;
  if (HasDot4<Isa> && max_directly > kTuning.max_directly) max_directly = kTuning.max_directly;
  if (args.n_tokens <= max_directly) return multiply_all_directly<Isa, Block>(args, first, end);
  // Blocks of about the same size.
  const size_t n_blocks = (args.n_tokens + kTokenBlock - 1) / kTokenBlock;
  const size_t block = ((args.n_tokens + n_blocks - 1) / n_blocks + kTokenStep - 1) / kTokenStep * kTokenStep;
  const auto run = [&]<size_t kPanels>(size_t panel) {
    for (size_t t = 0; t < args.n_tokens; t += block)
      multiply_token_block<Isa, Block, kPanels>(args, panel, t, args.n_tokens - t < block ? args.n_tokens - t : block);
  };
  size_t panel = first;
  for (; panel + Isa::kTilePanels <= end; panel += Isa::kTilePanels) run.template operator()<Isa::kTilePanels>(panel);
  if constexpr (Isa::kTilePanels > 2)
    for (; panel + 2 <= end; panel += 2) run.template operator()<2>(panel);
  for (; panel < end; ++panel) run.template operator()<1>(panel);
}

template <class Isa>
void matmul_panels(const MatmulArgs& args) {
  with_panel_block<Isa>(args.format, [&]<class Block>() { matmul_panels_of<Isa, Block>(args); });
}

}  // namespace
}  // namespace ogas
