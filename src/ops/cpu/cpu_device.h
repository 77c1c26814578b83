// The device that is this process' processor cores: the threads of a pool, the kernels of one instruction set.
//
// An operation cuts its work into chunks and hands them to the threads as one parallel region, or two; what follows
// from each other row by row is fused within a region, since a region costs some microseconds. Not thread-safe: one
// thread calls, the pool's work.
#pragma once

#include "base/thread_pool.h"
#include "kernels/cpu_kernels.h"
#include "ops/device.h"
#include "ops/scratch.h"

namespace ogas {

class CpuDevice final : public Device {
 public:
  // What it is given must outlive it. scratch: of as many threads as the pool.
  CpuDevice(ThreadPool& pool, const CpuKernels& kernels, Scratch& scratch)
      : pool_(pool), kernels_(kernels), scratch_(scratch) {}

  void multiply(const Activations& x, size_t n_rows, std::initializer_list<Product> products) override;
  void multiply_in_f32(const Linear& linear, const Activations& x, size_t n_rows, size_t n_together,
                       const Matrix& y) override;
  void gated_ffn(std::span<const GatedRows> groups) override;

  void rms_norm(const Matrix& x, std::span<const RowKind> kinds, std::span<const float> weight, float eps,
                const Activations& y) override;
  void quantize(const Activations& x, std::span<const RowKind> kinds) override;
  void add_normed(const Matrix& y, const Matrix& x, std::span<const float> weight, float eps, size_t n_rows) override;
  void add(const Matrix& y, const Matrix& x, size_t n_rows) override;
  void add_bias(const Matrix& y, std::span<const float> bias, size_t n_rows) override;
  void soft_cap(const Matrix& x, float cap, size_t n_rows) override;
  void copy_rows(const Matrix& x, std::span<const uint32_t> rows, const Matrix& y) override;
  void rms_norm_of(const Matrix& x, std::span<const uint32_t> rows, std::span<const float> weight, float eps,
                   const Matrix& y) override;
  void rms_norm_pair(const NormedMatrix& a, const NormedMatrix& b, std::span<const RowKind> kinds, float eps,
                     const Activations& y) override;

  Result<> embed(const EmbeddingRows& embeddings, std::span<const int32_t> tokens, float scale,
                 const Matrix& y) override;
  void prepare_angles(const RopeAngles& angles, std::span<const size_t> positions) override;

  void rope_and_store(std::initializer_list<HeadsOfRows> heads, const StoredRows& stored) override;
  void attend(const AttendInput& input, const Activations& y) override;

  void absorb(const AbsorbInput& input, const Matrix& latent) override;
  void attend_latents(const LatentAttendInput& input, const Matrix& y, size_t first_y_row) override;
  void attend_expanded(const ExpandInput& input, const Matrix& y) override;
  void choose_positions(const ChooseInput& input, std::span<uint32_t> chosen) override;
  void copy_keys(const KvStreamView& stream, std::byte* const* pages, std::span<const uint32_t> positions,
                 std::span<std::byte* const> to) override;

  void split_columns(const Matrix& x, size_t n_groups, std::initializer_list<ColumnPart> parts, size_t n_rows) override;
  void short_conv(const ShortConvInput& input, const Matrix& y) override;
  void delta_rule(const DeltaRuleInput& input, const Activations& y) override;

  void route(const RoutingRules& routing, const Matrix& logits, size_t n_rows, std::span<Routed> routed) override;
  size_t group_step() const override;
  void gather(const Activations& x, size_t n_rows, const GatheredRows& gathered) override;
  void sum_experts(const Matrix& results, std::span<const Routed> routed, std::span<const size_t> row_of, size_t n_rows,
                   const Matrix& y) override;
  void add_shared(const Matrix& y, const Matrix& shared, const Linear& gate, const Activations& x,
                  size_t n_rows) override;
  void change_norm(const Activations& x, std::span<const float> from, std::span<const float> to,
                   const Activations& y) override;

 private:
  ThreadPool& pool_;
  const CpuKernels& kernels_;
  Scratch& scratch_;  // of the threads, and of the calling one
};

}  // namespace ogas
