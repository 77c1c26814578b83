#include "nn/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace ogas {
namespace {

constexpr KvShape kShape = {.n_layer = 2, .n_head_kv = 3, .k_dim = 8, .v_dim = 8, .format = Format::f16};

TEST(KvShape, CountsBytes) {
  EXPECT_EQ(kShape.position_bytes(), 2U * 3 * 2 * 8 * 2);
  EXPECT_EQ(kShape.page_bytes(), kShape.position_bytes() * KvShape::kPagePositions);
}

TEST(KvSequence, EveryPlaceIsItsOwn) {
  KvCache cache(kShape);
  KvSequence sequence(cache);
  const size_t n = KvShape::kPagePositions + 5;
  sequence.extend(n);
  std::set<std::byte*> places;
  for (size_t layer_idx = 0; layer_idx < kShape.n_layer; ++layer_idx)
    for (size_t h = 0; h < kShape.n_head_kv; ++h)
      for (size_t p = 0; p < n; ++p) {
        places.insert(sequence.k(layer_idx, h, p));
        places.insert(sequence.v(layer_idx, h, p));
      }
  EXPECT_EQ(places.size(), 2 * kShape.n_layer * kShape.n_head_kv * n);
  std::byte* previous = nullptr;
  for (std::byte* place : places) {
    if (previous && place - previous < 1 << 20) {
      EXPECT_GE(place - previous, static_cast<ptrdiff_t>(kShape.k_bytes()));
    }
    previous = place;
  }
}

TEST(KvSequence, IndexKeysStandBehindAllLatents) {
  constexpr KvShape kLatents = {.n_layer = 2, .n_head_kv = 1, .k_dim = 8, .v_dim = 0, .index_dim = 4};
  EXPECT_EQ(kLatents.position_bytes(), 2U * (8 + 4) * 2);
  KvCache cache(kLatents);
  KvSequence sequence(cache);
  sequence.extend(KvShape::kPagePositions + 1);
  const std::byte* page = sequence.k(0, 0, 0);
  const ptrdiff_t n = KvShape::kPagePositions;
  EXPECT_EQ(sequence.k(1, 0, n - 1) - page, (2 * n - 1) * 8 * 2);
  EXPECT_EQ(sequence.index_key(0, 0) - page, 2 * n * 8 * 2);
  EXPECT_EQ(sequence.index_key(1, 0) - sequence.index_key(0, n - 1), 4 * 2);
  EXPECT_EQ(sequence.index_key(1, n - 1) + 4 * 2 - page, static_cast<ptrdiff_t>(kLatents.page_bytes()));
  EXPECT_EQ(sequence.index_key(0, n) - sequence.k(0, 0, n), 2 * n * 8 * 2);
}

TEST(KvSequence, PagesComeBack) {
  KvCache cache(kShape);
  {
    KvSequence sequence(cache);
    sequence.extend(1);
    EXPECT_EQ(cache.bytes_used(), kShape.page_bytes());
    std::byte* first = sequence.k(0, 0, 0);
    sequence.extend(KvShape::kPagePositions);
    EXPECT_EQ(cache.bytes_used(), 2 * kShape.page_bytes());
    EXPECT_EQ(sequence.k(0, 0, 0), first);  // growing moves nothing
    sequence.truncate(KvShape::kPagePositions);
    EXPECT_EQ(cache.bytes_used(), kShape.page_bytes());
    sequence.truncate(0);
    EXPECT_EQ(cache.bytes_used(), 0U);
    sequence.extend(1);
  }
  EXPECT_EQ(cache.bytes_used(), 0U);
}

constexpr KvShape kRecurrent = {.n_layer = 1,
                                .n_head_kv = 1,
                                .k_dim = 4,
                                .v_dim = 4,
                                .format = Format::f16,
                                .state = {.n_layer = 2, .n_values = 6}};

TEST(KvShape, CountsStateAndCopy) {
  EXPECT_EQ(kRecurrent.state.bytes(), 2U * 6 * 4);
  EXPECT_EQ(kRecurrent.sequence_bytes(10), 10 * kRecurrent.position_bytes() + 2 * kRecurrent.state.bytes());
  EXPECT_EQ(kShape.sequence_bytes(10), 10 * kShape.position_bytes());
}

TEST(KvSequence, ARecurrentStateGoesBackToTheEndTheCopyOrZero) {
  KvCache cache(kRecurrent);
  KvSequence sequence(cache);
  const auto write = [&](size_t n, float value) {
    sequence.extend(n);
    for (size_t layer_idx = 0; layer_idx < 2; ++layer_idx) std::ranges::fill(sequence.state(layer_idx), value);
  };
  write(5, 5);
  EXPECT_EQ(sequence.reachable(9), 5U);
  EXPECT_EQ(sequence.reachable(5), 5U);
  EXPECT_EQ(sequence.reachable(4), 0U);
  sequence.keep();
  write(3, 8);
  EXPECT_EQ(sequence.reachable(8), 8U);
  EXPECT_EQ(sequence.reachable(7), 5U);
  EXPECT_EQ(sequence.reachable(4), 0U);
  sequence.truncate(8);
  EXPECT_EQ(sequence.state(1)[0], 8);
  sequence.truncate(5);
  EXPECT_EQ(sequence.state(0)[0], 5);
  EXPECT_EQ(sequence.state(1)[5], 5);
  write(1, 6);
  sequence.truncate(5);  // the copy is still there
  EXPECT_EQ(sequence.state(1)[5], 5);
  EXPECT_EQ(cache.bytes_used(), kRecurrent.page_bytes() + 2 * kRecurrent.state.bytes());
  sequence.truncate(0);
  EXPECT_EQ(cache.bytes_used(), 0U);
  sequence.extend(6);
  EXPECT_EQ(sequence.state(0)[0], 0);  // as new
  EXPECT_EQ(sequence.reachable(5), 0U);
}

TEST(KvSequence, WithoutRecurrentLayersEveryPositionIsReachable) {
  KvCache cache(kShape);
  KvSequence sequence(cache);
  sequence.extend(70);
  sequence.keep();
  EXPECT_EQ(sequence.reachable(33), 33U);
  EXPECT_EQ(sequence.reachable(99), 70U);
  EXPECT_EQ(cache.bytes_used(), 2 * kShape.page_bytes());
}

}  // namespace
}  // namespace ogas
