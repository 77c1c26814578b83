// Positions that a token attends to, chosen by an indexer.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "ops/cpu/cpu_device.h"

namespace ogas {
namespace {

// The keys of a page are a matrix, and the token's heads its rows of input. Factors that all scores share change no
// choice and are left out.
void score_page(const CpuKernels& kernels, ScratchArena& own, const ChooseInput& a, size_t page_idx,
                std::span<float> scores) {
  const size_t page = a.stream.page_size, n_head = a.weights.n_cols();
  const size_t begin = page_idx * page, n = std::min(scores.size() - begin, page);
  const ScratchArena::Frame frame(own);
  const std::span<float> products = own.take<float>(n_head * page);
  kernels.matmul({.format = a.stream.format,
                  .weights = a.stream.k(a.seen.pages, 0, begin),
                  .n_in = a.stream.k_dim,
                  .block_scales = nullptr,
                  .o_begin = 0,
                  .o_end = n,
                  .n_tokens = n_head,
                  .x = a.q.row(a.row),
                  .quantized = nullptr,
                  .y = products.data(),
                  .y_stride = page});
  const float* weights = a.weights.row(a.row);
  for (size_t p = 0; p < n; ++p) {
    float score = 0;
    for (size_t h = 0; h < n_head; ++h) score += weights[h] * std::max(products[h * page + p], 0.0F);
    scores[begin + p] = std::isnan(score) ? -INFINITY : score;  // which can be ordered
  }
}

}  // namespace

void CpuDevice::choose_positions(const ChooseInput& input, std::span<uint32_t> chosen) {
  const size_t n_positions = input.seen.n_positions, page = input.stream.page_size;
  OGAS_CHECK(chosen.size() < n_positions && input.q.n_cols() == input.weights.n_cols() * input.stream.k_dim,
             "{} of {} positions, by queries of {}", chosen.size(), n_positions, input.q.n_cols());
  const size_t n_pages = (n_positions + page - 1) / page;
  ScratchArena& shared = scratch_.shared();
  const ScratchArena::Frame frame(shared);
  // By whole pages, so that what they grow by comes with these.
  const std::span<float> scores = shared.take<float>(n_pages * page).first(n_positions);
  const std::span<uint32_t> all = shared.take<uint32_t>(n_pages * page).first(n_positions);
  pool_.parallel_for(n_pages, [&](size_t page_idx, unsigned thread_idx) {
    score_page(kernels_, scratch_.of_thread(thread_idx), input, page_idx, scores);
  });
  std::iota(all.begin(), all.end(), 0U);
  const auto is_better = [&](uint32_t a, uint32_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; };
  std::ranges::nth_element(all, all.begin() + static_cast<ptrdiff_t>(chosen.size()), is_better);
  std::ranges::copy(all.first(chosen.size()), chosen.begin());
  std::ranges::sort(chosen);
}

void CpuDevice::copy_keys(const KvStreamView& stream, std::byte* const* pages, std::span<const uint32_t> positions,
                          std::span<std::byte* const> to) {
  const size_t page = stream.page_size, n_pages = (positions.size() + page - 1) / page;
  OGAS_CHECK(stream.n_heads == 1 && n_pages <= to.size(), "{} positions of {} heads into {} pages", positions.size(),
             stream.n_heads, to.size());
  pool_.parallel_for(n_pages, [&](size_t page_idx, unsigned) {
    const size_t first = page_idx * page, n = std::min(positions.size() - first, page);
    for (size_t i = 0; i < n; ++i)
      std::memcpy(to[page_idx] + i * stream.k_bytes, stream.k(pages, 0, positions[first + i]), stream.k_bytes);
  });
}

ScratchBytes choice_scratch_bytes(size_t n_head, uint64_t n_ctx, size_t page_size) {
  const uint64_t n_positions = (n_ctx + page_size - 1) / page_size * page_size;
  return {.shared = ScratchArena::bytes_for<float>(n_positions) + ScratchArena::bytes_for<uint32_t>(n_positions),
          .per_thread = ScratchArena::bytes_for<float>(n_head * page_size)};
}

}  // namespace ogas
