// The table of CPU kernels: functions of one thread on a part of the work, over plain pointers.
//
// reference.cc is the slow, readable reference; each isa_<name>.cc is the same table for one instruction set, compiled
// with its flags and chosen at run time (dispatch.h). The floor above splits the work into chunks. Nothing here
// allocates, and pointers need no alignment.
//
// Axes: t tokens of a batch, i inputs and o outputs of a linear layer, h heads, d dimensions of a head, p positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quant/format.h"
#include "quant/unpacked.h"

namespace ogas {

// Activations of an integer dot product, quantized once per matrix: blocks of 32 values share a scale.
inline constexpr size_t kActivationBlock = 32;
// Offsets of a weight format are multiplied by sums over 16 activations, the smallest group any format has.
inline constexpr size_t kSumGroup = 16;
// A block whose scale would be smaller is taken as zeros: 1 / scale must stay finite, and 1e-28 is negligible next to
// the values in a network.
inline constexpr float kSmallestScale = 1e-30F;

struct QuantizedRow {
  int8_t* codes;           // [n_in], -127..127
  float* scales;           // [n_in / 32]: value = scale * code
  float* sums16;           // [n_in / 16]: scale * (sum of 16 codes)
  float* sums32;           // [n_in / 32]: scale * (sum of 32 codes)
  int32_t* minus_codes16;  // [n_in / 16]: -(sum of 16 codes)
  int32_t* minus_codes32;  // [n_in / 32]: -(sum of 32 codes)
};

// Rows o_begin..o_end of y = W x for n_tokens columns x.
struct MatmulArgs {
  Format format;
  const std::byte* weights;  // [n_out, n_in] in `format`, row after row
  size_t n_in;               // a multiple of the format's block
  // F8_E4M3 only: factors of 128 x 128 blocks, [ceil(rows / 128), ceil(n_in / 128)] from row 0 of `weights` on.
  const float* block_scales;
  const std::byte* scales = nullptr;  // MXFP4_SPLIT only: E8M0, [rows, n_in / 32] from row 0 of `weights` on
  // Row o of W is row first_row + o * row_step of `weights`.
  size_t first_row = 0, row_step = 1;
  // Of plain formats that are stored transposed, [n_in, n_columns], the number of columns: those are rows then; 0: they
  // are not.
  size_t n_columns = 0;
  // The same weights as CpuKernels::pack_panel() leaves them, panel after panel, or null; read instead of `weights` if
  // there are quantized activations. panel_row: their row that is row 0 of W.
  const std::byte* panels = nullptr;
  size_t panel_row = 0;
  size_t o_begin, o_end;
  size_t n_tokens;
  const float* x;                 // [n_tokens, n_in]
  const QuantizedRow* quantized;  // [n_tokens], or null: then x itself is used whatever the format
  bool keeps_x = false;           // x is not rounded to BF16 either
  // The activations as CpuKernels::round_to_tile() leaves them, tile after tile, or null; with panels they are read
  // instead of the quantized ones. The first token is row bf16_skip of the first tile.
  const uint16_t* bf16 = nullptr;
  size_t bf16_skip = 0;
  float* y;  // [n_tokens, y_stride]; column 0 receives output o_begin
  size_t y_stride;
};

inline constexpr size_t kPanelAlignment = 64;

// Rows of weights to one panel.
struct PackArgs {
  Format format;
  const std::byte* weights;  // as in MatmulArgs
  size_t n_in;
  size_t first_row, row_step;
  size_t n_rows;     // at most CpuKernels::panel_rows; those that are missing become zeros
  std::byte* panel;  // CpuKernels::panel_bytes(), aligned to kPanelAlignment
};

enum class RopeStyle : uint8_t {
  interleaved,  // pairs (x[2j], x[2j + 1]): GGUF files of the first family, DeepSeek, ERNIE
  half_split,   // pairs (x[j], x[j + n_rot / 2]): GPT-NeoX, and the originals on Hugging Face
};

// Rotates the first n_rot of d dimensions of every head in place (Su et al. 2021, eq. 34).
struct RopeArgs {
  float* x;  // [n_heads, head_stride]
  size_t n_heads, head_stride;
  size_t n_rot;
  const float* cos_sin;  // [n_rot / 2][2] of this position
  RopeStyle style;
};

// A softmax over some of its terms: sum = sum of e^(score - largest).
struct SoftmaxPart {
  float largest, sum;
};

// The online softmax takes this many positions at a time (Milakov & Gimelshein 2018, algorithm 3).
inline constexpr size_t kAttendPositions = 64;
// Query rows of one call, unless by tiles.
inline constexpr size_t kAttendRows = 16;
// The formats of the KV cache.
inline constexpr Format kKvFormats[] = {Format::f32, Format::f16, Format::bf16, Format::q8_0, Format::q4_0};

// sum over p of e^(q K_p * scale - largest) V_p, for positions p_begin..p_end and the heads of consecutive tokens that
// share one key-value head; merge() combines such parts. Row t * n_heads + h is head h of token t.
//
// Keys and values are in pages of page_size positions, a multiple of kAttendPositions or more than there are: those of
// position p start at pages[p / page_size] + offset + (p % page_size) * stride. Pages before first_read() may be null.
// (Where values are the first part of the
// keys, as in absorbed MLA, both offsets and both strides are the same.)
struct AttendArgs {
  const float* q;  // token t, head h: [k_dim] from t * q_stride + h * k_dim on
  size_t q_stride;
  size_t n_tokens, n_heads;   // n_tokens * n_heads <= kAttendRows, or attend_tile_rows
  size_t position;            // of the first token: token t sees positions up to position + t,
  size_t window = 0;          // and of these the last `window`; 0: all
  size_t k_dim, v_dim;        // of a key, and of a value: whole blocks of kv_format
  size_t k_stride, v_stride;  // bytes from one position to the next
  const std::byte* const* pages;
  size_t page_size;
  size_t k_offset, v_offset;  // bytes from the start of a page
  Format kv_format;           // one of kKvFormats
  float scale;
  float soft_cap = 0;  // scores s become soft_cap * tanh(s / soft_cap) before the softmax (Gemma 2 report, 2); 0: none
  size_t p_begin = 0, p_end = 0;
  float* sums = nullptr;         // [n_tokens * n_heads, v_dim]
  SoftmaxPart* parts = nullptr;  // [n_tokens * n_heads]
  float* scratch = nullptr;      // [CpuKernels::attend_scratch()]
  // By matrix tiles: up to CpuKernels::attend_tile_rows rows, keys and values of whole multiples of 16. p_begin is a
  // multiple of 1024 then.
  bool by_tiles = false;

  // The positions that token t sees: first_seen(t)..end_seen(t) - 1.
  OGAS_INLINE size_t end_seen(size_t t) const { return position + t + 1; }
  OGAS_INLINE size_t first_seen(size_t t) const {
    return window > 0 && end_seen(t) > window ? end_seen(t) - window : 0;
  }
  // Nothing before this position is read: where the block begins in which the first token sees its first position.
  OGAS_INLINE size_t first_read() const { return first_seen(0) / kAttendPositions * kAttendPositions; }
};

// softmax(q K^T * scale) V from the parts of all positions, in their order.
struct MergeArgs {
  const float* sums;         // [n_parts, n_tokens * n_heads, v_dim]
  const SoftmaxPart* parts;  // [n_parts, n_tokens * n_heads]
  size_t n_parts, n_tokens, n_heads, v_dim;
  const float* sinks;  // [n_heads] scores that take part in the softmax and have no value (gpt-oss), or null
  float* out;          // token t, head h: [v_dim] from t * out_stride + h * v_dim on
  size_t out_stride;
};

// Of the clamped SwiGLU.
struct SwigluClamp {
  float alpha, limit;
};

// One position of a causal convolution that mixes each channel with its own past, then silu.
struct ShortConvArgs {
  const float* const* x;  // [n_taps] rows [n]: those of the positions before, oldest first, and that of this one
  const float* weight;    // [n_taps, n]
  size_t n_taps, n;
  float* y;  // [n], none of the rows of x
};

// One head and one position of the gated delta rule (Yang et al. 2024, Gated Delta Networks, eq. 10): the state S maps
// keys to values, S = decay S; S += beta (v - S k) k^T; out = S q.
struct DeltaRuleArgs {
  float* state;    // [v_dim, k_dim]
  const float* q;  // [k_dim], scaled
  const float* k;  // [k_dim], of length 1
  const float* v;  // [v_dim]
  size_t k_dim, v_dim;
  float decay, beta;  // both 0 to 1
  float* out;         // [v_dim]
};

// A tile of one row of weights of a block format: value = scale * code + offset.
inline constexpr size_t kRowTile = 1024;  // values, a multiple of every block (256)
struct alignas(64) UnpackedTile {
  int8_t codes[kRowTile];
  float scales[kRowTile / kSumGroup];   // of each group, of 16 or 32 as the format has them
  float offsets[kRowTile / kSumGroup];  // of each 16, to go with QuantizedRow::sums16; only where the format has them
};

// n <= kRowTile values, from their blocks and, where a format has them apart, their scales (MatmulArgs::scales).
using UnpackTile = void (*)(Format format, const std::byte* blocks, const std::byte* scales, size_t n,
                            UnpackedTile& tile);

struct CpuKernels {
  std::string_view name = {};
  // Whether matmul needs QuantizedRows for block formats. The reference does not: it works in F32 throughout.
  bool quantizes_activations = false;
  // Whether matmul rounds activations to BF16 where weights are BF16.
  bool rounds_to_bf16 = false;
  // Tokens whose BF16 activations share a tile of MatmulArgs::bf16; 0: these operations do not use it. Then whether
  // such products are faster than those of 8 bits, not only more accurate.
  size_t tile_rows = 0;
  bool tiles_are_quicker = false;
  // Whether prefill rows are needed in 8 bits, too. Not if every matrix that would read them has panels.
  bool quantizes_prompts = true;
  // n activations of a token, whole blocks of 32, to BF16: those of block b go to tile + (b * tile_rows + row) * 32.
  void (*round_to_tile)(const float* x, size_t n, size_t row, uint16_t* tile) = nullptr;

  // One row of n activations (a multiple of 32) to codes by round to nearest, scale = max|x| / 127 (see
  // kSmallestScale).
  void (*quantize)(const float* x, size_t n, const QuantizedRow& row) = nullptr;
  void matmul(const MatmulArgs& args) const;
  // The variants of matmul(): weights of any format times floats; BF16 times floats rounded to BF16, or null; blocks
  // times quantized activations, row by row; panels times quantized activations, and times tiles of BF16, or null.
  void (*matmul_floats)(const MatmulArgs& args) = nullptr;
  void (*matmul_bf16)(const MatmulArgs& args) = nullptr;
  void (*matmul_rows)(const MatmulArgs& args, UnpackTile unpack) = nullptr;
  UnpackTile unpack_tile = nullptr;
  void (*matmul_panels)(const MatmulArgs& args) = nullptr;
  void (*matmul_tiles)(const MatmulArgs& args) = nullptr;
  // Rows of weights that are interleaved in one panel (panels.h); 0: these operations have no panels.
  size_t panel_rows = 0;
  // Bytes of a panel of n_in inputs; 0 where the format has none and is read as the file has it.
  size_t (*panel_bytes)(Format format, size_t n_in) = nullptr;
  void (*pack_panel)(const PackArgs& args) = nullptr;
  // Row `row` of a panel as n_in floats, bit for bit those of the file.
  void (*read_panel_row)(Format format, const std::byte* panel, size_t n_in, size_t row, float* values) = nullptr;
  // y = x / sqrt(mean(x^2) + eps) * weight (Zhang & Sennrich 2019, eq. 4); y may be x.
  void (*rms_norm)(const float* x, const float* weight, float eps, size_t n, float* y) = nullptr;
  void (*rope)(const RopeArgs& args) = nullptr;
  // The scratch space of a call of attend(), in floats.
  size_t attend_scratch(const AttendArgs& args) const;
  void attend(const AttendArgs& args) const;
  // The variants of these. By tiles: attend_tile_rows query rows of a call, or 0 and null.
  size_t (*attend_rows_scratch)(const AttendArgs& args) = nullptr;
  void (*attend_rows)(const AttendArgs& args) = nullptr;
  size_t attend_tile_rows = 0;
  size_t (*attend_tiles_scratch)(const AttendArgs& args) = nullptr;
  void (*attend_tiles)(const AttendArgs& args) = nullptr;
  void (*merge)(const MergeArgs& args) = nullptr;
  // Multiplies blocks of n values (a power of two) with the Hadamard matrix over sqrt(n), which is its own inverse: it
  // spreads outliers over all values, so that few bits lose less.
  void (*hadamard)(float* x, size_t n, size_t n_blocks) = nullptr;
  // gate = silu(gate) * up, silu(z) = z / (1 + e^-z) (Shazeer 2020, SwiGLU).
  void (*swiglu)(float* gate, const float* up, size_t n) = nullptr;
  // gate = (clamp(up, -limit, limit) + 1) g / (1 + e^(-alpha g)), g = min(gate, limit) (gpt-oss model card, 2.2, and
  // released code).
  void (*swiglu_clamped)(float* gate, const float* up, size_t n, const SwigluClamp& clamp) = nullptr;
  // gate = gelu(gate) * up, gelu(z) = z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2 (Hendrycks & Gimpel 2016;
  // Shazeer 2020, GEGLU).
  void (*geglu)(float* gate, const float* up, size_t n) = nullptr;
  // x = cap * tanh(x / cap)
  void (*soft_cap)(float* x, size_t n, float cap) = nullptr;
  // y *= sigmoid(gate)
  void (*sigmoid_gate)(float* y, const float* gate, size_t n) = nullptr;
  void (*short_conv)(const ShortConvArgs& args) = nullptr;
  void (*delta_rule)(const DeltaRuleArgs& args) = nullptr;
  // y += x
  void (*add)(float* y, const float* x, size_t n) = nullptr;
  // n values to one of kKvFormats, for the KV cache.
  void (*store)(const float* x, size_t n, Format format, std::byte* out) = nullptr;
};

}  // namespace ogas
