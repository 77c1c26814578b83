// What latent attention (DeepSeek-V2, 2.1) is made of between its matrices, for a device (device.h). nn/mla.h says what
// it is, and what is absorbed or expanded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/kv_view.h"
#include "ops/linear.h"
#include "ops/matrix.h"
#include "ops/scratch.h"

namespace ogas {

// A latent has `rank` values that keys and values of all heads come from, then the rotated key that all share.
struct LatentSizes {
  size_t n_head, rank;
  size_t nope_dim, rope_dim;  // of a head's key: not rotated, rotated
  size_t v_dim;               // of its value

  size_t latent_dim() const { return rank + rope_dim; }
  size_t key_dim() const { return nope_dim + rope_dim; }
};

// The matrices between latents and the heads' keys and values.
struct LatentHeads {
  LatentSizes sizes;
  const Linear& kv_b;                // [n_head * (nope + v), rank], unless there are, of each head,
  std::span<const Linear> k_b, v_b;  // [rank, nope], [v, rank]

  // Rows of kv_b that make a head's keys; those that make its values.
  Linear k_rows(size_t h) const { return kv_b.rows(h * (sizes.nope_dim + sizes.v_dim), sizes.nope_dim); }
  Linear v_rows(size_t h) const {
    if (!v_b.empty()) return v_b[h];
    return kv_b.rows(h * (sizes.nope_dim + sizes.v_dim) + sizes.nope_dim, sizes.v_dim);
  }
};

// Queries of some rows, to be absorbed.
struct AbsorbInput {
  const LatentHeads& heads;
  const Matrix& q;  // [n_rows, n_head * key_dim], rotated
  RowRange rows;    // of q
  Format kv_format;
  const Activations& nope;  // workspace [rows.n_rows * n_head, nope_dim]
};

// The first positions of some pages, to be attended to.
struct SeenPositions {
  std::byte* const* pages;
  size_t n_positions;
};

// Absorbed queries of some tokens, each with what it sees.
struct LatentAttendInput {
  const LatentHeads& heads;
  const Matrix& q;                      // [rows, latent_dim], a row for each token and head,
  size_t first_row = 0;                 // from this one on
  std::span<const SeenPositions> seen;  // [tokens]
  const KvStreamView& stream;           // of the latents
  float scale;                          // of scores
  const Activations& latent;            // workspace [rows, rank], of as many rows as q
};

// Rows of one sequence that attend to keys and values which are made for all positions they see.
struct ExpandInput {
  const LatentHeads& heads;
  const Matrix& q;  // [n_rows, n_head * key_dim], rotated
  KvRun run;        // the rows, and the pages of their latents
  const KvStreamView& stream;
  float scale;
};

// Scratch of Device::absorb and attend_latents, of n_together tokens at most, and of Device::attend_expanded.
ScratchBytes absorbed_scratch_bytes(const PassLimits& limits, const LatentSizes& sizes, uint64_t n_together,
                                    uint64_t n_positions);
ScratchBytes expanded_scratch_bytes(const PassLimits& limits, const LatentSizes& sizes, uint64_t n_positions);

// A row's queries, which choose among positions: score = sum over heads of weight * ReLU(query . key).
struct ChooseInput {
  const Matrix& q;        // [n_rows, n_head * k_dim of the stream]
  const Matrix& weights;  // [n_rows, n_head]
  size_t row;
  SeenPositions seen;
  const KvStreamView& stream;  // of the keys
};
// Scratch of Device::choose_positions.
ScratchBytes choice_scratch_bytes(size_t n_head, uint64_t n_ctx, size_t page_size);

}  // namespace ogas
