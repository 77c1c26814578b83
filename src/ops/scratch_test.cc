#include "ops/scratch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/allocation_test_counter.h"

namespace ogas {
namespace {

TEST(ScratchArena, NestedFramesGiveBackInReverseOrder) {
  ScratchArena arena;
  const ScratchArena::Frame outer(arena);
  const auto first = arena.take<float>(100);
  std::ranges::fill(first, 1.0F);
  float* inner_data = nullptr;
  {
    const ScratchArena::Frame inner(arena);
    const auto second = arena.take<float>(3);
    inner_data = second.data();
    EXPECT_GE(inner_data, first.data() + first.size());
    std::ranges::fill(second, 2.0F);
  }
  EXPECT_EQ(arena.take<uint32_t>(7).data(), reinterpret_cast<uint32_t*>(inner_data));
  EXPECT_EQ(std::ranges::count(first, 1.0F), 100);
}

TEST(ScratchArena, BuffersAreAlignedAndDoNotMoveWhenItGrows) {
  ScratchArena arena;
  const ScratchArena::Frame frame(arena);
  std::vector<std::span<uint8_t>> taken;
  for (size_t n : {1UL, 65UL, 1UL << 16, 3UL, 1UL << 20, 0UL}) {
    taken.push_back(arena.take<uint8_t>(n));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(taken.back().data()) % ScratchArena::kAlignment, 0U);
    std::ranges::fill(taken.back(), static_cast<uint8_t>(taken.size()));
  }
  for (size_t idx = 0; idx < taken.size(); ++idx)
    EXPECT_EQ(std::ranges::count(taken[idx], static_cast<uint8_t>(idx + 1)), std::ssize(taken[idx]));
}

TEST(ScratchArena, PeakIsTheLargestSumAtATime) {
  ScratchArena arena;
  for (const size_t n : {1000UL, 100000UL, 10UL}) {
    const ScratchArena::Frame frame(arena);
    arena.take<double>(n);
    const ScratchArena::Frame inner(arena);
    arena.take<char>(n);
  }
  EXPECT_EQ(arena.peak_bytes(), ScratchArena::bytes_for<double>(100000) + ScratchArena::bytes_for<char>(100000));
}

// What grew into several blocks is one block for the next pass, which then does not allocate.
TEST(ScratchArena, APassLikeTheLastDoesNotAllocate) {
  ScratchArena arena;
  const auto pass = [&] {
    const ScratchArena::Frame frame(arena);
    for (int idx = 0; idx < 5; ++idx) arena.take<float>(50000);
  };
  pass();
  pass();
  const test::AllocationCount allocations;
  pass();
  EXPECT_EQ(allocations.n(), 0U);
}

TEST(Scratch, ThreadsHaveArenasOfTheirOwn) {
  Scratch scratch(2);
  {
    const ScratchArena::Frame shared(scratch.shared()), first(scratch.of_thread(0)), second(scratch.of_thread(1));
    auto a = scratch.shared().take<int>(16), b = scratch.of_thread(0).take<int>(32),
         c = scratch.of_thread(1).take<int>(64);
    std::ranges::fill(a, 1);
    std::ranges::fill(b, 2);
    std::ranges::fill(c, 3);
    EXPECT_EQ(std::ranges::count(a, 1), 16);
    EXPECT_EQ(std::ranges::count(b, 2), 32);
  }
  EXPECT_EQ(scratch.peak_bytes().shared, 64U);
  EXPECT_EQ(scratch.peak_bytes().per_thread, 256U);
  EXPECT_EQ(scratch.peak_bytes().total(2), 64U + 2 * 256U);
}

}  // namespace
}  // namespace ogas
