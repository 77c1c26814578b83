#include "nn/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "ops/kv_view.h"

namespace ogas {
namespace {

// Layers of attention, and recurrent ones.
KvLayout layout_of(size_t n_streams, const KvStream& stream, size_t n_states = 0, uint64_t n_values = 0) {
  KvLayout layout;
  for (size_t idx = 0; idx < n_streams; ++idx) layout.add(stream);
  for (size_t idx = 0; idx < n_states; ++idx) layout.add_state(n_values);
  return layout;
}
const KvLayout kLayout = layout_of(2, {.n_heads = 3, .k_dim = 8, .v_dim = 8});
constexpr KvStreamId kFirst{0}, kLast{1};

std::byte* k_of(const KvSequence& sequence, KvStreamId stream, size_t head_idx, size_t position) {
  return sequence.layout().view(stream).k(sequence.pages(stream).data(), head_idx, position);
}
std::byte* v_of(const KvSequence& sequence, KvStreamId stream, size_t head_idx, size_t position) {
  return sequence.layout().view(stream).v(sequence.pages(stream).data(), head_idx, position);
}

TEST(KvSequence, EveryPlaceIsItsOwn) {
  KvCache cache(kLayout);
  KvSequence sequence(cache);
  const size_t n = KvLayout::kPagePositions + 5;
  sequence.extend(n);
  std::set<std::byte*> keys_and_values;
  for (const KvStreamId stream : {kFirst, kLast})
    for (size_t h = 0; h < 3; ++h)
      for (size_t p = 0; p < n; ++p) {
        keys_and_values.insert(k_of(sequence, stream, h, p));
        keys_and_values.insert(v_of(sequence, stream, h, p));
      }
  EXPECT_EQ(keys_and_values.size(), 2 * 2 * 3 * n);
  std::byte* previous = nullptr;
  for (std::byte* address : keys_and_values) {
    if (previous && address - previous < 1 << 20) {
      EXPECT_GE(address - previous, static_cast<ptrdiff_t>(kLayout.k_bytes(kFirst)));
    }
    previous = address;
  }
}

TEST(KvSequence, PagesComeBack) {
  KvCache cache(kLayout);
  {
    KvSequence sequence(cache);
    sequence.extend(1);
    EXPECT_EQ(cache.bytes_used(), kLayout.page_bytes());
    std::byte* first = k_of(sequence, kFirst, 0, 0);
    sequence.extend(KvLayout::kPagePositions);
    EXPECT_EQ(cache.bytes_used(), 2 * kLayout.page_bytes());
    EXPECT_EQ(k_of(sequence, kFirst, 0, 0), first);  // growing moves nothing
    sequence.truncate(KvLayout::kPagePositions);
    EXPECT_EQ(cache.bytes_used(), kLayout.page_bytes());
    sequence.truncate(0);
    EXPECT_EQ(cache.bytes_used(), 0U);
    sequence.extend(1);
  }
  EXPECT_EQ(cache.bytes_used(), 0U);
}

constexpr uint64_t kValues = 6;
const KvLayout kRecurrent = layout_of(1, {.n_heads = 1, .k_dim = 4, .v_dim = 4}, 2, kValues);
constexpr KvStateId kState{0}, kLastState{1};

TEST(KvSequence, ARecurrentStateGoesBackToTheEndTheSnapshotOrZero) {
  KvCache cache(kRecurrent);
  KvSequence sequence(cache);
  const auto write = [&](size_t n, float value) {
    sequence.extend(n);
    for (const KvStateId state : {kState, kLastState}) std::ranges::fill(sequence.state(state), value);
  };
  write(5, 5);
  EXPECT_EQ(sequence.rewindable_to(9), 5U);
  EXPECT_EQ(sequence.rewindable_to(5), 5U);
  EXPECT_EQ(sequence.rewindable_to(4), 0U);
  sequence.snapshot();
  write(3, 8);
  EXPECT_EQ(sequence.rewindable_to(8), 8U);
  EXPECT_EQ(sequence.rewindable_to(7), 5U);
  EXPECT_EQ(sequence.rewindable_to(4), 0U);
  sequence.truncate(8);
  EXPECT_EQ(sequence.state(kLastState)[0], 8);
  sequence.truncate(5);
  EXPECT_EQ(sequence.state(kState)[0], 5);
  EXPECT_EQ(sequence.state(kLastState)[5], 5);
  write(1, 6);
  sequence.truncate(5);  // the snapshot is still there
  EXPECT_EQ(sequence.state(kLastState)[5], 5);
  write(1, 6);
  EXPECT_EQ(cache.bytes_used(), kRecurrent.page_bytes() + 2 * kRecurrent.state_bytes());
  sequence.truncate(0);
  EXPECT_EQ(cache.bytes_used(), 0U);
  sequence.extend(6);
  EXPECT_EQ(sequence.state(kState)[0], 0);  // as new
  EXPECT_EQ(sequence.rewindable_to(5), 0U);
}

TEST(KvSequence, WithoutRecurrentLayersEveryPositionIsReachable) {
  KvCache cache(kLayout);
  KvSequence sequence(cache);
  sequence.extend(70);
  sequence.snapshot();
  EXPECT_EQ(sequence.rewindable_to(33), 33U);
  EXPECT_EQ(sequence.rewindable_to(99), 70U);
  EXPECT_EQ(cache.bytes_used(), 2 * kLayout.page_bytes());
}

constexpr size_t kPage = KvLayout::kPagePositions;

// Whole pages that are free.
size_t n_free(const KvCache& cache) { return cache.bytes_free() / cache.layout().page_bytes(); }

TEST(KvCache, KeepsToItsBudget) {
  KvCache cache(kLayout, 3 * kLayout.page_bytes() + 1);
  EXPECT_EQ(n_free(cache), 3U);
  KvSequence a(cache), b(cache);
  a.extend(kPage);
  b.extend(1);
  EXPECT_EQ(n_free(cache), 1U);
  EXPECT_EQ(a.prepare_to_extend(0), 0 * kLayout.page_bytes());
  EXPECT_EQ(a.prepare_to_extend(kPage + 1), 2 * kLayout.page_bytes());  // more than there are
  EXPECT_EQ(b.prepare_to_extend(kPage - 1), 0 * kLayout.page_bytes());
  a.extend(1);
  EXPECT_EQ(n_free(cache), 0U);
  EXPECT_DEATH(b.extend(kPage), "bytes; 1 are free");
  a.truncate(0);
  EXPECT_EQ(n_free(cache), 2U);
}

void write(KvSequence& sequence, size_t position, int value) {
  std::memset(k_of(sequence, kLast, 2, position), value, kLayout.k_bytes(kFirst));
}
int read(const KvSequence& sequence, size_t position) { return static_cast<int>(*k_of(sequence, kLast, 2, position)); }

TEST(KvSequence, PagesOfOthersAreReadAndNotWritten) {
  KvCache cache(kLayout);
  KvSequence first(cache);
  first.extend(kPage + 3);
  write(first, 5, 50);
  write(first, kPage + 1, 60);
  KvSequence second(cache);
  second.add_pages({&first.page(0), 1}, kPage, nullptr);
  EXPECT_EQ(second.n_positions(), kPage);
  EXPECT_EQ(read(second, 5), 50);
  EXPECT_EQ(cache.n_used(), 2U);
  KvSequence third(cache);
  third.fork(first);
  EXPECT_EQ(third.n_positions(), kPage + 3);
  EXPECT_EQ(cache.n_used(), 2U);
  EXPECT_EQ(third.prepare_to_extend(1), 1 * kLayout.page_bytes());  // the copy
  third.extend(1);
  write(third, kPage + 3, 70);
  EXPECT_EQ(read(third, kPage + 1), 60);
  EXPECT_EQ(cache.n_used(), 3U);
  EXPECT_EQ(first.prepare_to_extend(1), 0 * kLayout.page_bytes());  // it is alone there again
  first.extend(1);
  write(first, kPage + 3, 80);
  EXPECT_EQ(read(third, kPage + 3), 70);
  // Back into a shared page, and on from there.
  second.truncate(6);
  second.extend(1);
  write(second, 6, 90);
  EXPECT_EQ(read(second, 5), 50);
  write(first, 6, 91);
  EXPECT_EQ(read(second, 6), 90);
  EXPECT_EQ(read(third, 6), 91);
}

constexpr uint32_t kWindow = 100;
const KvLayout kWindows = [] {
  KvLayout layout;
  layout.add({.n_heads = 2, .k_dim = 8, .v_dim = 8});
  layout.add({.n_heads = 3, .k_dim = 8, .v_dim = 8, .window = kWindow});
  return layout;
}();

TEST(KvSequence, GivesBackPagesThatNoWindowReaches) {
  for (const size_t n_batch : {1, 7, 64, 200}) {
    KvCache cache(kWindows);
    KvSequence sequence(cache);
    for (size_t n = 0; n < 2'000; n += n_batch) {
      const size_t begin = sequence.n_positions();
      sequence.extend(n_batch);
      const auto pages = sequence.pages(kLast);
      ASSERT_EQ(pages.size(), (n + n_batch + kPage - 1) / kPage);
      for (size_t p = begin + 1 > kWindow ? begin + 1 - kWindow : 0; p < begin + n_batch; ++p)
        ASSERT_NE(pages[p / kPage], nullptr) << p << " of " << n;
      ASSERT_LE(cache.bytes_used(), kWindows.bytes_of_pages(sequence.n_positions(), n_batch));
      for (std::byte* page : sequence.pages(kFirst)) ASSERT_NE(page, nullptr);
    }
    EXPECT_EQ(sequence.pages(kLast)[0], nullptr);
    EXPECT_LE(cache.n_used(KvPageKind::window), 4 + n_batch / kPage);
    sequence.truncate(0);
    EXPECT_EQ(cache.bytes_used(), 0U);
  }
}

TEST(KvSequence, GoesBackAsFarAsItsWindowsAreHeld) {
  KvCache cache(kWindows);
  KvSequence sequence(cache);
  sequence.extend(600);
  EXPECT_EQ(sequence.rewindable_to(10), 10U);  // a pass that was computed at once holds all it needed
  sequence.prepare_to_extend(1);
  EXPECT_EQ(sequence.rewindable_to(576), 576U);  // the start of the page where the next position is
  sequence.extend(1);
  EXPECT_EQ(sequence.rewindable_to(576), 576U);
  EXPECT_EQ(sequence.rewindable_to(490), 0U);
  EXPECT_FALSE(sequence.snapshot_at(7 * kPage));
  const auto snapshot = sequence.snapshot_at(9 * kPage);
  ASSERT_TRUE(snapshot);
  EXPECT_FALSE(snapshot->states);
  EXPECT_EQ(snapshot->window_pages.size(), 2U);
  sequence.snapshot();
  sequence.extend(500);
  sequence.extend(1);
  EXPECT_EQ(sequence.rewindable_to(700), 601U);
  sequence.truncate(601);
  EXPECT_EQ(sequence.n_positions(), 601U);
  EXPECT_EQ(sequence.pages(kLast)[6], nullptr);
  EXPECT_NE(sequence.pages(kLast)[7], nullptr);
  sequence.truncate(590);  // other tokens follow: the snapshot is of no use
  sequence.extend(300);
  sequence.extend(1);
  EXPECT_EQ(sequence.snapshot_position(), 0U);
}

TEST(KvCache, MemoryOfOneKindOfPagesIsUsedForTheOther) {
  KvLayout layout;
  layout.add({.k_dim = 16, .v_dim = 16});
  layout.add({.k_dim = 16, .v_dim = 16, .window = 9});
  const uint64_t page = layout.page_bytes(KvPageKind::full);
  ASSERT_EQ(page, 4096U);  // what the system gives and takes
  KvCache cache(layout, 4 * page);
  std::vector<KvPage> pages;
  for (int n = 0; n < 4; ++n) {
    pages.push_back(cache.take(KvPageKind::window));
    std::memset(pages.back().data(), 1, page);
  }
  EXPECT_EQ(cache.bytes_free(), 0U);
  pages.clear();
  EXPECT_EQ(cache.bytes_free(), 4 * page);
  for (int n = 0; n < 3; ++n) pages.push_back(cache.take());
  pages.push_back(cache.take(KvPageKind::window));
  EXPECT_EQ(*pages.back().data(), std::byte{1});  // the one whose memory nobody needed
  pages.erase(pages.begin(), pages.begin() + 3);
  for (int n = 0; n < 3; ++n) {
    pages.push_back(cache.take(KvPageKind::window));
    EXPECT_EQ(*pages.back().data(), std::byte{0});  // new from the system
  }
}

// Whatever sequences do, each reads what it wrote or took over, and pages come back.
class KvSequenceTest : public ::testing::TestWithParam<KvLayout> {
 protected:
  void write(KvSequence& sequence, size_t position, int value) {
    for (const KvStreamId stream : {kFirst, kLast})
      std::memset(k_of(sequence, stream, 1, position), value, GetParam().k_bytes(stream));
  }
  // All positions that the next token sees.
  void expect_values(const KvSequence& sequence, const std::vector<int>& values) {
    ASSERT_EQ(sequence.n_positions(), values.size());
    for (const KvStreamId stream : {kFirst, kLast}) {
      const size_t window = GetParam().stream(stream).window, n = values.size();
      for (size_t p = window > 0 && n + 1 > window ? n + 1 - window : 0; p < n; ++p)
        ASSERT_EQ(static_cast<int>(*k_of(sequence, stream, 1, p)), values[p]) << "stream " << stream.idx << " at " << p;
    }
  }
};

TEST_P(KvSequenceTest, RandomForksKeepTheirOwn) {
  const KvLayout& layout = GetParam();
  KvCache cache(layout, 400 * layout.page_bytes());
  std::mt19937 random(3);
  struct Tracked {
    std::unique_ptr<KvSequence> kv;
    std::vector<int> values;
  };
  std::vector<Tracked> all(8);
  for (Tracked& tracked : all) tracked.kv = std::make_unique<KvSequence>(cache);
  for (int step = 0; step < 3'000; ++step) {
    Tracked& it = all[random() % all.size()];
    const size_t n = random() % 100;
    switch (random() % 6) {
      case 0:
        it.kv->truncate(it.kv->rewindable_to(random() % 3 == 0 || it.values.size() < n ? n : it.values.size() - n));
        it.values.resize(it.kv->n_positions());
        break;
      case 1: {
        Tracked& from = all[random() % all.size()];
        if (&from == &it) break;
        it.kv->truncate(0);
        it.kv->fork(*from.kv);
        it.values = from.values;
        break;
      }
      case 2: {  // from a snapshot of another
        Tracked& from = all[random() % all.size()];
        size_t end = from.values.size() - std::min(n, from.values.size());
        if (random() % 2 == 0) end = end / kPage * kPage;
        const auto snapshot = from.kv->snapshot_at(end);
        if (&from == &it || end == 0 || (layout.needs_snapshots() && !snapshot)) break;
        it.kv->truncate(0);
        std::vector<KvPage> pages;
        for (size_t idx = 0; idx * kPage < end; ++idx) pages.push_back(from.kv->page(idx));
        it.kv->add_pages(pages, end, snapshot ? &*snapshot : nullptr);
        it.values.assign(from.values.begin(), from.values.begin() + end);
        break;
      }
      case 3: it.kv->snapshot(); break;
      default:
        const uint64_t n_free = cache.bytes_free(), n_taken = it.kv->prepare_to_extend(n);
        if (n_taken > n_free || it.values.size() > 2'000) break;
        it.kv->extend(n);
        ASSERT_GE(cache.bytes_free(), n_free - n_taken);
        for (size_t idx = 0; idx < n; ++idx) {
          it.values.push_back(static_cast<int>(random() % 256));
          write(*it.kv, it.values.size() - 1, it.values.back());
        }
    }
    for (const Tracked& tracked : all) {
      expect_values(*tracked.kv, tracked.values);
      if (HasFatalFailure()) FAIL() << "step " << step;
    }
  }
  all.clear();
  EXPECT_EQ(cache.bytes_used(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Layouts, KvSequenceTest, ::testing::Values(kLayout, kWindows),
                         [](const auto& layout) { return layout.param.window() > 0 ? "Windows" : "Full"; });

// As the prefix cache has it: a sequence that continues from a snapshot has what was computed up to there, and writes
// its own.
TEST(KvSequence, OthersGoOnFromASnapshot) {
  KvCache cache(kRecurrent);
  std::optional<KvSnapshot> kept;
  std::vector<KvPage> pages;
  {
    KvSequence first(cache);
    EXPECT_FALSE(first.snapshot_at(0));
    first.extend(kPage);
    std::ranges::fill(first.state(kState), 5.0F);
    first.snapshot();
    EXPECT_FALSE(first.snapshot_at(kPage - 1));
    kept = first.snapshot_at(kPage);
    ASSERT_TRUE(kept);
    pages.push_back(first.page(0));
    EXPECT_EQ(cache.bytes_used(), kRecurrent.page_bytes() + kRecurrent.state_bytes());  // nothing is copied yet
    first.extend(1);
    std::ranges::fill(first.state(kState), 6.0F);
    first.snapshot();  // another one in its address
    EXPECT_EQ(first.snapshot_position(), kPage + 1);
    EXPECT_TRUE(cache.bytes_used() == 2 * (kRecurrent.page_bytes() + kRecurrent.state_bytes()));
  }
  EXPECT_FALSE(kept->states->is_shared());
  EXPECT_EQ(cache.bytes_used(), kRecurrent.page_bytes() + kRecurrent.state_bytes());
  for (const float value : {7.0F, 8.0F}) {
    KvSequence next(cache);
    next.add_pages(pages, kPage, &*kept);
    EXPECT_EQ(next.n_positions(), kPage);
    EXPECT_EQ(next.rewindable_to(kPage - 1), 0U);
    next.extend(1);
    EXPECT_EQ(next.state(kState)[0], 5);
    EXPECT_EQ(next.state(kLastState)[0], 0);
    std::ranges::fill(next.state(kState), value);
  }
  KvSequence wrong(cache);
  EXPECT_DEATH(wrong.add_pages(pages, kPage, nullptr), "no snapshot, of a layout that needs one");
}

// A pass may go past the position of a snapshot: its layers write the states there into memory of their own.
TEST(KvSequence, ASnapshotWithinAPassIsKeptOnceItIsComputed) {
  KvCache cache(kRecurrent);
  KvSequence sequence(cache);
  sequence.plan_snapshot(kPage);
  sequence.extend(kPage);  // not past it
  EXPECT_TRUE(sequence.snapshot_within(kState).values.empty());
  EXPECT_FALSE(sequence.keep_snapshot_within());
  const auto pass = [&](float within) {
    sequence.plan_snapshot(2 * kPage);
    sequence.extend(kPage + 9);
    const auto [values, position] = sequence.snapshot_within(kLastState);
    EXPECT_EQ(position, 2 * kPage);
    ASSERT_EQ(values.size(), kValues);
    std::ranges::fill(values, within);
    std::ranges::fill(sequence.state(kLastState), 9.0F);
  };
  sequence.snapshot();
  pass(7);
  EXPECT_EQ(sequence.rewindable_to(2 * kPage), kPage);
  sequence.truncate(kPage);  // it failed
  EXPECT_FALSE(sequence.keep_snapshot_within());
  pass(8);
  EXPECT_TRUE(sequence.keep_snapshot_within());
  EXPECT_FALSE(sequence.keep_snapshot_within());
  ASSERT_TRUE(sequence.snapshot_at(2 * kPage));
  EXPECT_EQ(sequence.state(kLastState)[0], 9);
  sequence.truncate(2 * kPage);
  EXPECT_EQ(sequence.state(kLastState)[0], 8);
  sequence.extend(1);
  EXPECT_TRUE(sequence.snapshot_within(kState).values.empty());
}

TEST(KvCache, OtherBytesOfTheBudgetLeaveFewerPages) {
  const uint64_t page = kRecurrent.page_bytes();
  KvCache cache(kRecurrent, 4 * page + page / 2);
  EXPECT_EQ(n_free(cache), 4U);
  cache.set_snapshot_bytes(page);
  EXPECT_EQ(n_free(cache), 3U);
  const KvPage one = cache.take();
  cache.set_snapshot_bytes(2 * page + page / 2 + 1);
  EXPECT_EQ(n_free(cache), 0U);
  cache.set_snapshot_bytes(9 * page);  // more than there is
  EXPECT_EQ(n_free(cache), 0U);
  cache.set_snapshot_bytes(0);
  EXPECT_EQ(n_free(cache), 3U);
}

TEST(KvSequence, AForkHasItsOwnState) {
  KvCache cache(kRecurrent);
  KvSequence first(cache), second(cache);
  first.extend(5);
  std::ranges::fill(first.state(kState), 5.0F);
  first.snapshot();
  first.extend(1);
  std::ranges::fill(first.state(kState), 6.0F);
  second.fork(first);
  second.extend(1);
  std::ranges::fill(second.state(kState), 7.0F);
  EXPECT_EQ(first.state(kState)[3], 6);
  EXPECT_EQ(cache.bytes_used(), 2 * kRecurrent.page_bytes() + 3 * kRecurrent.state_bytes());  // they share a snapshot
  second.truncate(5);
  EXPECT_EQ(second.state(kState)[3], 5);
  EXPECT_EQ(first.state(kState)[3], 6);
}

}  // namespace
}  // namespace ogas
