// Attention of many query rows by matrix tiles: prefill, where operations have tiles (CpuKernels::attend_tile_rows);
// included by generic.h only.
//
// Every number is the sum of two in BF16, high and low. Three of the four products of such sums are formed, so that 16
// bits of a number count. The loss is negligible next to the rounding of activations before and after. Keys and values
// are brought into tiles once for all rows of a call, a block of positions at a time. Blocks begin at multiples of
// their size and a row's sums are added in the order of positions, independently of the other rows.
#pragma once

#include "kernels/attend.h"
#include "kernels/multiply_tiles.h"

namespace ogas {
namespace {

// Query rows of one call, and positions of a block, whole multiples of kAttendPositions.
constexpr size_t kTileAttendRows = 128, kTileAttendBlock = 256;

// Of tiles of queries and weights a row is 32 numbers of one query row: dimensions or positions i and i + 16 side by
// side. Of tiles of keys and values a row is such pairs of 16 positions, or of 16 dimensions.
struct SplitTile {
  alignas(kPanelAlignment) uint16_t high[512], low[512];
};

template <class Isa, Format kFormat>
class TileAttention {
 public:
  // Of `scratch`, in floats.
  static size_t n_scratch(const AttendArgs& args) {
    const TileAttention space(args);
    return (kPanelAlignment + space.n_tiles() * sizeof(SplitTile)) / sizeof(float) + space.n_floats();
  }

  static void run(const AttendArgs& args) {
    TileAttention attention(args);
    attention.lay_out();
    [[maybe_unused]] const typename Isa::Tiles tiles;
    attention.start();
    for (size_t p = args.p_begin, end = p; p < args.p_end; p = end) {
      end = (p / kTileAttendBlock + 1) * kTileAttendBlock;
      if (end > args.p_end) end = args.p_end;
      attention.add_block(p, end - p);
    }
    __builtin_memcpy(args.sums, attention.sums_, attention.n_rows_ * args.v_dim * sizeof(float));
  }

 private:
  using Row = Plain<Isa, is_plain(kFormat) ? kFormat : Format::f32>;
  static constexpr size_t kRows = Isa::kTileRows, kInputs = Isa::kTileInputs, kWidth = Isa::kWidth;
  static constexpr size_t kStepsOfBlock = kTileAttendBlock / kInputs;
  static_assert(kRows == kWidth && kInputs == 2 * kWidth && kAttendPositions % kInputs == 0);

  explicit TileAttention(const AttendArgs& args)
      : args_(args),
        n_rows_(args.n_tokens * args.n_heads),
        n_groups_((n_rows_ + kRows - 1) / kRows),
        k_steps_((args.k_dim + kInputs - 1) / kInputs),
        v_tiles_(args.v_dim / kWidth) {}
  void lay_out() {
    const auto address = reinterpret_cast<uintptr_t>(args_.scratch);
    queries_ = reinterpret_cast<SplitTile*>((address + kPanelAlignment - 1) / kPanelAlignment * kPanelAlignment);
    keys_ = queries_ + n_groups_ * k_steps_;
    values_ = keys_ + 2 * kStepsOfBlock * k_steps_;
    weights_ = values_ + kStepsOfBlock * v_tiles_;
    scores_ = reinterpret_cast<float*>(weights_ + kStepsOfBlock);
    sums_ = scores_ + kRows * kTileAttendBlock;
    decoded_ = sums_ + n_groups_ * kRows * args_.v_dim;
  }
  size_t n_tiles() const {
    return n_groups_ * k_steps_ + 2 * kStepsOfBlock * k_steps_ + kStepsOfBlock * v_tiles_ + kStepsOfBlock;
  }
  size_t n_floats() const {
    const size_t widest = args_.k_dim > args_.v_dim ? args_.k_dim : args_.v_dim;
    return kRows * kTileAttendBlock + n_groups_ * kRows * args_.v_dim + kAttendPositions * widest;
  }

  // Numbers first..first + 31 of a row that has n, as `load` gives them, to row `row` of a tile; beyond its end zeros.
  template <class Load>
  OGAS_INLINE void split_row(const Load& load, size_t first, size_t n, SplitTile& tile, size_t row) {
    const auto from = [&](size_t i) OGAS_LAMBDA_INLINE { return i < n ? load(i) : Isa::zero(); };
    Isa::store_split(tile.high + row * kInputs, tile.low + row * kInputs, from(first), from(first + kWidth));
  }

  void start() {
    __builtin_memset(queries_, 0, n_groups_ * k_steps_ * sizeof(SplitTile));
    __builtin_memset(sums_, 0, n_groups_ * kRows * args_.v_dim * sizeof(float));
    for (size_t row = 0; row < n_rows_; ++row) {
      args_.parts[row] = {-__builtin_inff(), 0};
      const float* q = args_.q + row / args_.n_heads * args_.q_stride + row % args_.n_heads * args_.k_dim;
      const auto scaled = [&](size_t i)
                              OGAS_LAMBDA_INLINE { return Isa::mul(Isa::load(q + i), Isa::set1(args_.scale)); };
      for (size_t step = 0; step < k_steps_; ++step)
        split_row(scaled, step * kInputs, args_.k_dim, queries_[row / kRows * k_steps_ + step], row % kRows);
    }
  }

  // Positions p..p + n, up to kAttendPositions of one page, of a block that begins at `block`.
  void load_keys(size_t block, size_t p, size_t n) {
    size_t stride = 0;
    const auto* keys = readable<Row, kFormat>(keys_of(args_), p, n, decoded_, stride);
    for (size_t first = 0; first < n; first += kRows) {
      for (size_t step = 0; step < k_steps_; ++step) {
        SplitTile& tile = keys_[(p - block + first) / kRows * k_steps_ + step];
        for (size_t row = 0; row < kRows; ++row) {
          const auto* key = keys + (first + row) * stride;
          split_row([&](size_t i) OGAS_LAMBDA_INLINE { return Row::load(key + i); }, step * kInputs,
                    first + row < n ? args_.k_dim : 0, tile, row);
        }
        Isa::transpose_pairs(tile.high);
        Isa::transpose_pairs(tile.low);
      }
    }
  }

  void load_values(size_t block, size_t p, size_t n) {
    size_t stride = 0;
    const auto* values = readable<Row, kFormat>(values_of(args_), p, n, decoded_, stride);
    for (size_t first = 0; first < n; first += kInputs) {
      for (size_t d = 0; d < v_tiles_; ++d) {
        SplitTile& tile = values_[(p - block + first) / kInputs * v_tiles_ + d];
        for (size_t row = 0; row < kRows; ++row) {
          const auto at = [&](size_t position) OGAS_LAMBDA_INLINE {
            return position < n ? Row::load(values + position * stride + d * kWidth) : Isa::zero();
          };
          Isa::store_split(tile.high + row * kInputs, tile.low + row * kInputs, at(first + row),
                           at(first + row + kRows));
        }
      }
    }
  }

  // The first n positions of a block, but for those that no row sees.
  void add_block(size_t block, size_t n) {
    const size_t first = args_.first_read();
    for (size_t at = first > block ? first : block, end = at; at < block + n; at = end) {
      end = (at / kAttendPositions + 1) * kAttendPositions;
      if (end > block + n) end = block + n;
      load_keys(block, at, end - at);
      load_values(block, at, end - at);
    }
    for (size_t group = 0; group < n_groups_; ++group) add_to_group(group, block, n);
  }

  void add_to_group(size_t group, size_t block, size_t n) {
    const size_t first_row = group * kRows, end_row = first_row + kRows < n_rows_ ? first_row + kRows : n_rows_;
    const auto in_block = [&](size_t position) {
      return position < block ? 0 : position - block < n ? position - block : n;
    };
    const size_t begin = in_block(args_.first_seen(first_row / args_.n_heads)) / kInputs * kInputs;
    const size_t end = (in_block(args_.end_seen((end_row - 1) / args_.n_heads)) + kInputs - 1) / kInputs * kInputs;
    if (begin >= end) return;
    const SplitTile* queries = queries_ + group * k_steps_;
    size_t position = begin;
    for (; position + 4 * kRows <= end; position += 4 * kRows) score<4>(queries, position);
    if (position < end) score<2>(queries, position);
    for (size_t row = first_row; row < end_row; ++row) {
      const size_t t = row / args_.n_heads, in_group = row - first_row;
      float* scores = scores_ + in_group * kTileAttendBlock;
      const size_t first_seen = in_block(args_.first_seen(t)), end_seen = in_block(args_.end_seen(t));
      if (args_.soft_cap > 0 && first_seen < end_seen)
        soft_cap<Isa>(scores + first_seen, end_seen - first_seen, args_.soft_cap);
      const float rescale =
          exponentiate<Isa>(scores + begin, first_seen - begin, end_seen - begin, end - begin, args_.parts[row]);
      if (rescale != 1) {
        float* sums = sums_ + row * args_.v_dim;
        for (size_t d = 0; d < args_.v_dim; d += kWidth)
          Isa::store(sums + d, Isa::mul(Isa::load(sums + d), Isa::set1(rescale)));
      }
    }
    for (size_t row = end_row; row < first_row + kRows; ++row)
      __builtin_memset(scores_ + (row - first_row) * kTileAttendBlock, 0, kTileAttendBlock * sizeof(float));
    for (size_t at = begin; at < end; at += kInputs)
      for (size_t row = 0; row < kRows; ++row) {
        const float* weights = scores_ + row * kTileAttendBlock + at;
        SplitTile& tile = weights_[at / kInputs];
        Isa::store_split(tile.high + row * kInputs, tile.low + row * kInputs, Isa::load(weights),
                         Isa::load(weights + kWidth));
      }
    size_t d = 0;
    for (; d + 4 <= v_tiles_; d += 4) add_values<4>(group, begin, end, d);
    for (; d < v_tiles_; ++d) add_values<1>(group, begin, end, d);
  }

  // Of kTiles tiles of keys, from a position of the block on.
  template <size_t kTiles>
  OGAS_INLINE void score(const SplitTile* queries, size_t position) {
    Isa::template multiply_split<kTiles>(queries, keys_ + position / kRows * k_steps_, 1, k_steps_, k_steps_,
                                         scores_ + position, kTileAttendBlock, false);
  }
  template <size_t kTiles>
  OGAS_INLINE void add_values(size_t group, size_t begin, size_t end, size_t d) {
    const size_t step = begin / kInputs;
    Isa::template multiply_split<kTiles>(weights_ + step, values_ + step * v_tiles_ + d, v_tiles_, 1,
                                         end / kInputs - step, sums_ + group * kRows * args_.v_dim + d * kWidth,
                                         args_.v_dim, true);
  }

  const AttendArgs& args_;
  size_t n_rows_, n_groups_;
  size_t k_steps_, v_tiles_;      // tiles along a key, and along a value
  SplitTile* queries_ = nullptr;  // [n_groups, k_steps]
  SplitTile* keys_ = nullptr;     // [positions of a block / 16, k_steps]
  SplitTile* values_ = nullptr;   // [positions / 32, v_tiles]
  SplitTile* weights_ = nullptr;  // [positions / 32], of a group
  float* scores_ = nullptr;       // [16, positions], of a group
  float* sums_ = nullptr;         // [n_groups * 16, v_dim]
  float* decoded_ = nullptr;      // positions of block formats
};

template <class Isa>
void attend_tiles(const AttendArgs& args) {
  with_kv_format(args.kv_format, [&]<Format kFormat>() { TileAttention<Isa, kFormat>::run(args); });
}

template <class Isa>
size_t attend_tiles_scratch(const AttendArgs& args) {
  return with_kv_format(args.kv_format, [&]<Format kFormat>() { return TileAttention<Isa, kFormat>::n_scratch(args); });
}

}  // namespace
}  // namespace ogas
