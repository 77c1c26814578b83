// The operations on tensors that forward passes consist of: one list, which each device implements. Blocks (nn/) and
// decoders (arch/) are compositions of them and know neither threads nor kernels. cpu/ has the implementation for
// processor cores; another kind of device is another implementation of the same list.
//
// An operation is as large as what a device would do in one pass over its rows: rope_and_store() adds biases, norms,
// rotates and stores. Views (kv_view.h, StateRows) say where what a sequence keeps lies; no operation knows a cache.
//
// Rows: an operation works on rows 0..n_rows of what it is given, or on as many as there are kinds. What it computes of
// a row is the same bits whatever the other rows are, however many threads there are, and wherever a prompt was cut
// into batches. An operation that writes rows of Activations makes their quantized forms, too.
// Errors: sizes that do not fit are a bug in ogas (OGAS_CHECK). An operation that can fail for another reason returns a
// Result.
// Axes: t rows, i inputs and o outputs of a linear layer, h heads, d dimensions of a head, p positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/result.h"
#include "ops/attention.h"
#include "ops/delta_rule.h"
#include "ops/embedding_rows.h"
#include "ops/experts.h"
#include "ops/gated_ffn.h"
#include "ops/latent_attention.h"
#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/rope.h"
#include "ops/row_kind.h"

namespace ogas {

struct NormedMatrix {
  const Matrix& x;
  std::span<const float> weight;  // [n_cols]
};

class Device {
 public:
  virtual ~Device() = default;

  // Rows 0..n_rows of every product's y = W x, from the same x: q, k and v, or gate and up, are one operation.
  virtual void multiply(const Activations& x, size_t n_rows, std::initializer_list<Product> products) = 0;
  // y = W x without rounding x: what is decided from y, such as routing, must not depend on that. W is read once for
  // n_together rows.
  virtual void multiply_in_f32(const Linear& linear, const Activations& x, size_t n_rows, size_t n_together,
                               const Matrix& y) = 0;
  // y = down(f(gate(x)) * up(x)), with the group's biases and its f, for every group of rows. As cheap for many groups
  // as for one of all their rows. `gated` of each is overwritten.
  virtual void gated_ffn(std::span<const GatedRows> groups) = 0;

  // y = x / sqrt(mean(x^2) + eps) * weight, as many rows as there are kinds (Zhang & Sennrich 2019, eq. 4). weight:
  // [n_cols].
  virtual void rms_norm(const Matrix& x, std::span<const RowKind> kinds, std::span<const float> weight, float eps,
                        const Activations& y) = 0;
  // Makes the other forms of rows that were written, as many as there are kinds.
  virtual void quantize(const Activations& x, std::span<const RowKind> kinds) = 0;
  // y += RMSNorm(x), which x holds then.
  virtual void add_normed(const Matrix& y, const Matrix& x, std::span<const float> weight, float eps,
                          size_t n_rows) = 0;
  // y += x; each row of y += bias [n_cols].
  virtual void add(const Matrix& y, const Matrix& x, size_t n_rows) = 0;
  virtual void add_bias(const Matrix& y, std::span<const float> bias, size_t n_rows) = 0;
  // x = cap * tanh(x / cap).
  virtual void soft_cap(const Matrix& x, float cap, size_t n_rows) = 0;
  // Row idx of y = row rows[idx] of x, as it is or as RMSNorm.
  virtual void copy_rows(const Matrix& x, std::span<const uint32_t> rows, const Matrix& y) = 0;
  virtual void rms_norm_of(const Matrix& x, std::span<const uint32_t> rows, std::span<const float> weight, float eps,
                           const Matrix& y) = 0;
  // y = [RMSNorm(a), RMSNorm(b)], as many rows as there are kinds.
  virtual void rms_norm_pair(const NormedMatrix& a, const NormedMatrix& b, std::span<const RowKind> kinds, float eps,
                             const Activations& y) = 0;

  // Row t of y = scale times the row of token t. Errors: io, where the rows lie in a file.
  virtual Result<> embed(const EmbeddingRows& embeddings, std::span<const int32_t> tokens, float scale,
                         const Matrix& y) = 0;
  // Cosines and sines of these positions, in each of the model's rotations.
  virtual void prepare_angles(const RopeAngles& angles, std::span<const size_t> positions) = 0;

  // Makes heads ready, one description after the other, and stores keys and values at the positions of their rows.
  virtual void rope_and_store(std::initializer_list<HeadsOfRows> heads, const StoredRows& stored) = 0;
  // y [n_rows, n_head * v_dim] = softmax(scale * q K^T) V of each head, over the positions that its row sees.
  virtual void attend(const AttendInput& input, const Activations& y) = 0;

  // Rows (token, head) of latent [n_rows * n_head, latent_dim]: the queries as latents see them, then their rotated
  // part.
  virtual void absorb(const AbsorbInput& input, const Matrix& latent) = 0;
  // Rows first_y_row.. of y [n_rows, n_head * v_dim], one a token: the values of what its heads attend to. Their other
  // forms are not made.
  virtual void attend_latents(const LatentAttendInput& input, const Matrix& y, size_t first_y_row) = 0;
  // The same rows of y as those of q, whose keys and values are made of latents first. Their other forms are not made.
  virtual void attend_expanded(const ExpandInput& input, const Matrix& y) = 0;
  // The positions of the best scores, fewer than are seen, in ascending order; equals rank by position.
  virtual void choose_positions(const ChooseInput& input, std::span<uint32_t> chosen) = 0;
  // The keys at these positions, one after the other, to pages of as many positions that hold nothing else.
  virtual void copy_keys(const KvStreamView& stream, std::byte* const* pages, std::span<const uint32_t> positions,
                         std::span<std::byte* const> to) = 0;

  // Columns of x, in groups of all parts one after the other, to matrices of their own.
  virtual void split_columns(const Matrix& x, size_t n_groups, std::initializer_list<ColumnPart> parts,
                             size_t n_rows) = 0;
  // y [n_rows, n_channels]. States then hold the last inputs.
  virtual void short_conv(const ShortConvInput& input, const Matrix& y) = 0;
  // y [n_rows, n_v]: norm(delta rule) * silu(z). A row finds the state as the rows of its run before it left it.
  virtual void delta_rule(const DeltaRuleInput& input, const Activations& y) = 0;

  // The experts of rows 0..n_rows [n_rows * n_used], from the router's logits [n_rows, n_expert], which are changed.
  virtual void route(const RoutingRules& routing, const Matrix& logits, size_t n_rows, std::span<Routed> routed) = 0;
  // The rows of each expert best begin with a multiple of this.
  virtual size_t group_step() const = 0;
  // Row t of x to each of its slots' rows of gathered.out.
  virtual void gather(const Activations& x, size_t n_rows, const GatheredRows& gathered) = 0;
  // Row t of y = sum over its slots, in their order, of weight * their row of the results (row_of: as in GatheredRows).
  virtual void sum_experts(const Matrix& results, std::span<const Routed> routed, std::span<const size_t> row_of,
                           size_t n_rows, const Matrix& y) = 0;
  // y += sigmoid(gate x) * shared; where the gate has no outputs, y += shared. gate: [1, n_cols of x].
  virtual void add_shared(const Matrix& y, const Matrix& shared, const Linear& gate, const Activations& x,
                          size_t n_rows) = 0;
  // Row 0 of x, which is normed with the weights `from`, as if it were with `to`; as it is where these are empty. y is
  // for multiply_in_f32() only.
  virtual void change_norm(const Activations& x, std::span<const float> from, std::span<const float> to,
                           const Activations& y) = 0;
};

}  // namespace ogas
