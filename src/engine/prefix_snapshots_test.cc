// The prefix cache of models with recurrent layers or windows: where a sequence can continue, in memory and on disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <ranges>
#include <set>

#include "base/log.h"
#include "engine/prefix_cache.h"
#include "engine/prefix_test_cache.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;
using testing::Folder, testing::kPage, testing::Tokens, testing::tokens_of;
using ::testing::SizeIs;
using Cache = testing::PrefixTestCache;

// A page takes 4 KiB, and a snapshot as much as two of them and a bit.
constexpr uint64_t kValues = 2100;
// A window reaches two pages back.
const KvLayout kWindows = testing::layout_of_window(kPage + 9);
const KvLayout kRecurrent = testing::layout_of_states(kValues);

// Pages a sequence can continue from; these and their states must be right.
size_t n_found(PrefixCache& prefixes, std::span<const TokenId> tokens) {
  const PrefixMatch match = prefixes.find(tokens);
  testing::expect_pages(match.pages, tokens);
  EXPECT_EQ(match.snapshot.has_value(), !match.pages.empty());
  EXPECT_GE(match.n_known, match.pages.size());
  if (!match.snapshot) return 0;
  if (match.snapshot->states) {
    EXPECT_TRUE(testing::has_mark(match.snapshot->states->bytes(), tokens.first(match.pages.size() * kPage)));
  }
  const size_t n_windows = match.snapshot->window_pages.size();
  for (size_t idx = 0; idx < n_windows; ++idx)
    testing::expect_page(match.snapshot->window_pages[idx],
                         tokens.first((match.pages.size() - n_windows + idx + 1) * kPage));
  return match.pages.size();
}

TEST(PrefixSnapshots, ASequenceGoesOnFromTheLastOneThatIsAlike) {
  Cache cache(kRecurrent, 100);
  const Tokens tokens = tokens_of(6 * kPage + 5, 1);
  {
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens, {2, 5}));
  }
  EXPECT_EQ(cache.kv.bytes_used(), 6 * kRecurrent.page_bytes() + 2 * kRecurrent.state_bytes());
  EXPECT_EQ(cache.prefixes.bytes_reclaimable(), cache.kv.bytes_used());
  EXPECT_EQ(n_found(cache.prefixes, tokens), 5U);
  EXPECT_EQ(cache.prefixes.find(tokens).n_known, 6U);
  EXPECT_EQ(n_found(cache.prefixes, std::span(tokens).first(5 * kPage - 1)), 2U);
  Tokens other = tokens;
  other[3 * kPage] += 1;
  EXPECT_EQ(n_found(cache.prefixes, other), 2U);
  EXPECT_EQ(cache.prefixes.find(other).n_known, 3U);
  KvSequence sequence(cache.kv);
  ASSERT_TRUE(cache.compute(sequence, other, {4}));
  EXPECT_EQ(n_found(cache.prefixes, other), 4U);
  EXPECT_EQ(n_found(cache.prefixes, tokens), 5U);
  other[0] += 1;
  EXPECT_EQ(n_found(cache.prefixes, other), 0U);
}

TEST(PrefixSnapshots, OnlyThoseAtTheEndOfACachedPageAreTaken) {
  Cache cache(kRecurrent, 100);
  const Tokens tokens = tokens_of(3 * kPage, 1);
  KvSequence sequence(cache.kv);
  ASSERT_TRUE(cache.compute(sequence, std::span(tokens).first(kPage + 9)));
  sequence.snapshot();
  cache.prefixes.add_snapshot(sequence, std::span(tokens).first(kPage + 9), kPage + 9);
  EXPECT_EQ(n_found(cache.prefixes, tokens), 0U);
  KvSequence unknown(cache.kv);
  unknown.extend(2 * kPage);  // its second page was not added
  unknown.snapshot();
  cache.prefixes.add_snapshot(unknown, std::span(tokens).first(2 * kPage), 2 * kPage);
  EXPECT_EQ(n_found(cache.prefixes, tokens), 0U);
}

TEST(PrefixSnapshots, CountInTheBudget) {
  Cache cache(kRecurrent, 12);
  const Tokens tokens = tokens_of(4 * kPage, 1);
  KvSequence sequence(cache.kv);
  ASSERT_TRUE(cache.compute(sequence, tokens, {4}));
  EXPECT_EQ(cache.kv.bytes_free(), 8 * kRecurrent.page_bytes() - kRecurrent.state_bytes());
  EXPECT_EQ(cache.prefixes.bytes_evictable(), kRecurrent.state_bytes());
  // A snapshot that a sequence shares is given up, too: pages fit there then. The sequence still has it.
  EXPECT_TRUE(cache.prefixes.reserve(8 * kRecurrent.page_bytes()));
  EXPECT_EQ(n_found(cache.prefixes, tokens), 0U);
  EXPECT_EQ(cache.kv.n_used(), 4U);
  EXPECT_TRUE(sequence.snapshot_at(4 * kPage));
  EXPECT_FALSE(cache.prefixes.reserve(9 * kRecurrent.page_bytes()));
  // Where a snapshot does not fit, none is taken, and nothing fails.
  KvSequence large(cache.kv);
  ASSERT_TRUE(cache.compute(large, tokens_of(8 * kPage, 2), {8}));
  EXPECT_EQ(n_found(cache.prefixes, tokens_of(8 * kPage, 2)), 0U);
}

// Of a conversation snapshots in the middle go first, so that the next turn continues from its end; then what follows
// the last one, which is worth nothing.
TEST(PrefixSnapshots, ThoseInTheMiddleAreDroppedFirst) {
  Cache cache(kRecurrent, 30);
  const Tokens tokens = tokens_of(12 * kPage, 1);
  std::set<size_t> all;
  for (size_t idx = 3; idx <= 12; idx += 3) all.insert(idx);
  {
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens, all));
  }
  const auto has_end = [&] { return n_found(cache.prefixes, tokens) == 12; };
  for (size_t n = cache.kv.bytes_free() / kRecurrent.page_bytes() + 1; n <= 30 - 12 - 3; ++n) {
    ASSERT_TRUE(cache.prefixes.reserve(n * kRecurrent.page_bytes()));
    ASSERT_TRUE(has_end()) << n;
  }
  EXPECT_EQ(n_found(cache.prefixes, std::span(tokens).first(11 * kPage)), 0U);
  ASSERT_TRUE(cache.prefixes.reserve(18 * kRecurrent.page_bytes()));
  EXPECT_EQ(n_found(cache.prefixes, tokens), 0U);
  ASSERT_TRUE(cache.prefixes.reserve(30 * kRecurrent.page_bytes()));
  EXPECT_EQ(cache.kv.n_used(), 0U);
}

// Of all layouts: pages alone, with windows, with states.
class PrefixEnds : public ::testing::TestWithParam<KvLayout> {
 protected:
  static constexpr size_t kEnd = 3 * kPage + 20;
  PrefixEnds() : cache_(GetParam(), 40) {}

  // Computes the tokens and caches their end.
  void compute(std::span<const TokenId> tokens) {
    KvSequence sequence(cache_.kv);
    ASSERT_TRUE(cache_.compute(sequence, tokens));
    if (tokens.size() % kPage != 0) cache_.write_begun_page(sequence, tokens);
    cache_.prefixes.add_end(sequence, tokens);
  }
  // Positions a sequence continues from; the page that is begun must hold what was computed.
  size_t n_found(std::span<const TokenId> tokens) {
    const PrefixMatch match = cache_.prefixes.find(tokens);
    if (match.pages.empty()) return 0;
    KvSequence sequence(cache_.kv);
    sequence.add_pages(match.pages, match.n_positions, match.snapshot ? &*match.snapshot : nullptr);
    const std::span<const TokenId> alike = tokens.first(match.n_positions);
    if (match.n_positions % kPage != 0) cache_.expect_begun_page(sequence, alike);
    if (GetParam().n_states() > 0) {
      EXPECT_TRUE(testing::has_mark(std::as_bytes(sequence.state(KvStateId{0})), alike));
    }
    return match.n_positions;
  }

  Cache cache_;
  Tokens tokens_ = tokens_of(6 * kPage, 1);
};

TEST_P(PrefixEnds, AreContinued) {
  const size_t whole = GetParam().needs_snapshots() ? 0 : 3 * kPage;
  compute(std::span(tokens_).first(kEnd));
  EXPECT_EQ(n_found(tokens_), kEnd);
  EXPECT_EQ(n_found(std::span(tokens_).first(kEnd)), kEnd);
  EXPECT_EQ(n_found(std::span(tokens_).first(kEnd - 1)), whole);
  Tokens other = tokens_;
  other[kEnd - 1] += 1;
  EXPECT_EQ(n_found(other), whole);
  compute(std::span(tokens_).first(kEnd + 7));
  compute(std::span(tokens_).first(kEnd + 7));  // once is enough
  EXPECT_EQ(n_found(tokens_), kEnd + 7);
  EXPECT_EQ(n_found(std::span(tokens_).first(kEnd + 6)), kEnd);
  EXPECT_EQ(cache_.kv.n_used(), 3U + 2);
  EXPECT_EQ(cache_.prefixes.bytes_reclaimable(), cache_.kv.bytes_used());
  compute(std::span(tokens_).first(9));  // a short prompt has no whole page
  EXPECT_EQ(n_found(std::span(tokens_).first(30)), 9U);
}

TEST_P(PrefixEnds, MayBeThatOfAPage) {
  compute(std::span(tokens_).first(3 * kPage));
  EXPECT_EQ(n_found(tokens_), 3 * kPage);
}

TEST_P(PrefixEnds, AreEvictedFirst) {
  compute(std::span(tokens_).first(kEnd));
  const uint64_t n_all = 40 * GetParam().page_bytes(), n_whole = 3 * GetParam().page_bytes(KvPageKind::full);
  EXPECT_EQ(cache_.prefixes.bytes_evictable(), cache_.kv.bytes_used());
  ASSERT_TRUE(cache_.prefixes.reserve(n_all - n_whole));
  EXPECT_EQ(cache_.kv.bytes_used(), n_whole);
  EXPECT_EQ(cache_.kv.bytes_free(), n_all - cache_.kv.bytes_used());
}

// Short requests do not fill the whole budget.
TEST_P(PrefixEnds, TakeAShareOfTheMemory) {
  for (TokenId seed = 100; seed < 130; ++seed) compute(tokens_of(30, seed));
  EXPECT_LE(cache_.kv.n_used(), 16U);
  const Tokens first = tokens_of(40, 100), last = tokens_of(40, 129);
  EXPECT_EQ(n_found(first), 0U);
  EXPECT_EQ(n_found(last), 30U);
}

// A sequence that continues needs a copy of what is shared: without memory for it none is cached.
TEST_P(PrefixEnds, AreNotCachedWhereMemoryIsShort) {
  Cache small(GetParam(), 5);
  KvSequence sequence(small.kv);
  ASSERT_TRUE(small.compute(sequence, std::span(tokens_).first(kEnd)));
  small.prefixes.add_end(sequence, std::span(tokens_).first(kEnd));
  EXPECT_EQ(small.prefixes.find(tokens_).n_positions % kPage, 0U);
}

INSTANTIATE_TEST_SUITE_P(Layouts, PrefixEnds, ::testing::Values(testing::layout_of_states(0), kWindows, kRecurrent),
                         [](const auto& layout) {
                           return layout.param.window() > 0     ? "Windows"
                                  : layout.param.n_states() > 0 ? "Recurrent"
                                                                : "Full";
                         });

// Random prompts over few letters, so that they begin alike in all ways, snapshots anywhere and a budget that is never
// enough.
class RandomSnapshots : public ::testing::TestWithParam<KvLayout> {};

TEST_P(RandomSnapshots, AreFoundByTheirOwn) {
  const KvLayout& layout = GetParam();
  std::mt19937 random(5);
  for (const bool with_disk : {false, true}) {
    const Folder folder;
    const auto new_cache = [&] {
      return std::make_unique<Cache>(layout, 16, with_disk ? Cache::store(folder, 60 * layout.page_bytes()) : nullptr);
    };
    auto cache = new_cache();
    std::vector<std::unique_ptr<KvSequence>> running;
    size_t n_found_all = 0, n_refused = 0;
    for (int step = 0; step < (with_disk ? 1500 : 6000); ++step) {
      if (random() % 3 == 0 && !running.empty()) running.erase(running.begin() + random() % running.size());
      if (with_disk && random() % 150 == 0) {  // a restart
        running.clear();
        cache.reset();
        cache = new_cache();
      }
      Tokens tokens(random() % (5 * kPage));
      for (size_t idx = 0; idx < tokens.size(); ++idx) tokens[idx] = idx % kPage == 0 ? random() % 2 : 0;
      auto sequence = std::make_unique<KvSequence>(cache->kv);
      n_found_all += n_found(cache->prefixes, tokens);
      if (!cache->compute(*sequence, tokens, {1 + random() % 4, 1 + random() % 4})) {
        ++n_refused;
        running.clear();
        continue;
      }
      std::vector<KvPage> pages;
      for (size_t idx = 0; idx < tokens.size() / kPage; ++idx) pages.push_back(sequence->page(idx));
      testing::expect_pages(pages, tokens);
      if (!tokens.empty() && layout.n_states() > 0) {
        EXPECT_TRUE(testing::has_mark(std::as_bytes(sequence->state(KvStateId{0})), tokens));
      }
      if (::testing::Test::HasFailure()) return;
      if (with_disk) cache->prefixes.save(*sequence, tokens);
      running.push_back(std::move(sequence));
    }
    EXPECT_GT(n_found_all, 300U);
    EXPECT_GT(n_refused, 10U);
    running.clear();
    cache->prefixes.flush();
    EXPECT_EQ(cache->prefixes.bytes_reclaimable(), cache->kv.bytes_used());
    EXPECT_TRUE(cache->prefixes.reserve(16 * layout.page_bytes()));
    EXPECT_EQ(cache->kv.bytes_used(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, RandomSnapshots, ::testing::Values(kRecurrent, kWindows),
                         [](const auto& layout) { return layout.param.window() > 0 ? "Windows" : "Recurrent"; });

TEST(PrefixSnapshots, OfWindowsShareTheirPages) {
  Cache cache(kWindows, 100);
  EXPECT_EQ(cache.prefixes.snapshot_stride(), kPage);
  const Tokens tokens = tokens_of(8 * kPage + 5, 1);
  {
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens, {2, 3, 7}));
  }
  EXPECT_EQ(cache.kv.n_used(KvPageKind::full), 8U);
  EXPECT_EQ(cache.kv.n_used(KvPageKind::window), 2U + 1 + 2);
  EXPECT_EQ(cache.prefixes.bytes_reclaimable(), cache.kv.bytes_used());
  EXPECT_EQ(n_found(cache.prefixes, tokens), 7U);
  EXPECT_EQ(n_found(cache.prefixes, std::span(tokens).first(7 * kPage - 1)), 3U);
  Tokens other = tokens;
  other[2 * kPage] += 1;
  EXPECT_EQ(n_found(cache.prefixes, other), 2U);
  KvSequence sequence(cache.kv);
  ASSERT_TRUE(cache.compute(sequence, other, {8}));
  EXPECT_EQ(n_found(cache.prefixes, other), 8U);
  // A sequence further on holds no windows of earlier pages.
  cache.prefixes.add_snapshot(sequence, other, 4 * kPage);
  EXPECT_EQ(n_found(cache.prefixes, std::span(other).first(7 * kPage)), 2U);
}

TEST(PrefixSnapshots, OfWindowsLeaveTheMemoryWhereOthersNeedIt) {
  Cache cache(kWindows, 12);
  const Tokens tokens = tokens_of(6 * kPage, 1);
  {
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens, {1, 2, 3, 4, 5, 6}));
  }
  const uint64_t page = kWindows.page_bytes(KvPageKind::full);
  EXPECT_EQ(cache.kv.bytes_used(), 12 * page);
  ASSERT_TRUE(cache.prefixes.reserve(24 * page - 8 * page));
  EXPECT_EQ(n_found(cache.prefixes, tokens), 6U);  // the end stays longest
  EXPECT_EQ(cache.kv.bytes_used(), 8 * page);
}

class SnapshotStoreTest : public ::testing::Test {
 protected:
  void save(const Tokens& tokens, const std::set<size_t>& snapshots, uint64_t budget = 1 << 24) {
    Cache cache(kRecurrent, 300, Cache::store(folder_, budget));
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens, snapshots));
    cache.prefixes.save(sequence, tokens);
    cache.prefixes.flush();
  }
  // Pages that another process continues from.
  size_t n_restored(const Tokens& tokens) {
    Cache cache(kRecurrent, 300, Cache::store(folder_));
    return n_found(cache.prefixes, tokens);
  }
  std::vector<fs::path> states() const {
    std::vector<fs::path> found;
    for (const fs::path& file : folder_.files())
      if (file.extension() == ".states") found.push_back(file);
    return found;
  }
  Folder folder_;
};

TEST_F(SnapshotStoreTest, AreFoundAgain) {
  const Tokens tokens = tokens_of(5 * kPage + 9, 1);
  save(tokens, {4});
  EXPECT_THAT(folder_.files(), SizeIs(5 + 1));
  EXPECT_EQ(n_restored(tokens), 4U);
  EXPECT_EQ(n_restored(tokens_of(3 * kPage, 1)), 0U);
}

TEST_F(SnapshotStoreTest, WindowsAreFoundAgainAndWrittenOnce) {
  const Tokens tokens = tokens_of(8 * kPage + 9, 1);
  const auto n_restored = [&](std::span<const TokenId> prompt) {
    Cache cache(kWindows, 300, Cache::store(folder_));
    return n_found(cache.prefixes, prompt);
  };
  {
    Cache cache(kWindows, 300, Cache::store(folder_));
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens, {2, 3, 4, 7, 8}));
    cache.prefixes.save(sequence, tokens);
    cache.prefixes.flush();
  }
  // Of the stride, two pages, and the last: pages 1, 2, 3, 4, 7 and 8.
  EXPECT_THAT(folder_.files(), SizeIs(8 + 6));
  EXPECT_EQ(n_restored(tokens), 8U);
  EXPECT_EQ(n_restored(std::span(tokens).first(8 * kPage - 1)), 4U);
  EXPECT_EQ(n_restored(std::span(tokens).first(3 * kPage)), 3U);  // of what was written for others
  // Without one of its windows a snapshot is none.
  const auto is_window = [](const fs::path& file) { return file.extension() == ".window"; };
  const auto files = folder_.files();
  size_t n_without_end = 0;
  for (const fs::path& file : files | std::views::filter(is_window)) {
    const fs::path moved = folder_.path / "moved";
    fs::rename(file, moved);
    const size_t n = n_restored(tokens);
    EXPECT_THAT(n, ::testing::AnyOf(8U, 4U));
    n_without_end += n == 4 ? 1 : 0;
    fs::rename(moved, file);
  }
  EXPECT_EQ(n_without_end, 2U);
  for (const fs::path& file : files | std::views::filter(is_window)) std::ofstream(file, std::ios::app) << "x";
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);
  EXPECT_EQ(n_restored(tokens), 0U);
  spdlog::set_level(level);
}

// Every turn of a conversation leaves one at its end: on disk only the last of these stays in use, next to those at the
// stride and where prompts part.
TEST_F(SnapshotStoreTest, OldEndsAreNotWritten) {
  const Tokens tokens = tokens_of(40 * kPage, 1);
  Cache cache(kRecurrent, 300, Cache::store(folder_));
  const size_t stride = cache.prefixes.snapshot_stride();
  ASSERT_EQ(stride, 16 * kPage);
  KvSequence sequence(cache.kv), other(cache.kv);
  ASSERT_TRUE(cache.compute(sequence, tokens, {3, 7, 11, 16, 20, 32, 33, 37}));
  Tokens parts = tokens;
  parts[7 * kPage] += 1;
  parts.resize(9 * kPage);
  ASSERT_TRUE(cache.compute(other, parts));
  cache.prefixes.save(sequence, tokens);
  cache.prefixes.flush();
  EXPECT_THAT(states(), SizeIs(4));
  for (const auto& [n_alike, expected] : {std::pair<size_t, size_t>{40, 37}, {36, 32}, {31, 16}, {15, 7}, {6, 0}}) {
    Tokens prompt = tokens;
    prompt.resize(n_alike * kPage);
    EXPECT_EQ(n_restored(prompt), expected) << n_alike;
  }
}

TEST_F(SnapshotStoreTest, WhatIsDamagedOrForeignIsRemovedAndNotUsed) {
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);  // each of the processes below would warn
  const Tokens tokens = tokens_of(4 * kPage, 1);
  save(tokens, {4});
  ASSERT_THAT(states(), SizeIs(1));
  std::vector<fs::path> files = states();
  save(std::vector<TokenId>(tokens.begin(), tokens.begin() + 2 * kPage), {2});
  for (const fs::path& file : states())
    if (file != files[0]) files.push_back(file);
  ASSERT_THAT(files, SizeIs(2));
  const auto read = [](const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  };
  const auto write = [](const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  };
  const std::vector<std::string> sound = {read(files[0]), read(files[1])};
  ASSERT_EQ(n_restored(tokens), 4U);
  fs::path page = files[0];
  page.replace_extension(".page");
  const uint64_t size = sound[0].size();
  std::vector<std::string> bad = {"",
                                  "short",
                                  sound[1],    // whole, but of another page
                                  read(page),  // of this page, but its keys and values
                                  sound[0] + "x",
                                  sound[0] + sound[0],
                                  sound[0].substr(0, size - 1),
                                  std::string(size, '\0')};
  for (size_t at = 0; at < size; at += at < 400 ? 1 : 97) {
    bad.push_back(sound[0]);
    bad.back()[at] = static_cast<char>(bad.back()[at] ^ 0x10);
  }
  for (const std::string& content : bad) {
    write(files[0], content);
    ASSERT_EQ(n_restored(tokens), 2U);  // the one before it
    ASSERT_FALSE(fs::exists(files[0]));
    write(files[0], sound[0]);
    ASSERT_EQ(n_restored(tokens), 4U);
  }
  // States cannot be taken for a page.
  const std::string sound_page = read(page);
  write(page, sound[0]);
  ASSERT_EQ(n_restored(tokens), 2U);
  ASSERT_FALSE(fs::exists(page));
  write(page, sound_page);
  // Nor do they help without one of the pages before them.
  fs::remove(files[1]);
  ASSERT_EQ(n_restored(tokens), 4U);
  fs::remove(page);
  ASSERT_EQ(n_restored(tokens), 0U);
  spdlog::set_level(level);
}

TEST_F(SnapshotStoreTest, TheFolderStaysWithinItsBudget) {
  const uint64_t page = kRecurrent.page_bytes() + 400, states_bytes = kRecurrent.state_bytes() + 400;
  const uint64_t budget = 14 * page + 4 * states_bytes;
  for (TokenId seed = 0; seed < 20; ++seed) {
    save(tokens_of(5 * kPage, seed), {2, 5}, budget);
    EXPECT_LE(folder_.bytes(), budget);
  }
  EXPECT_EQ(n_restored(tokens_of(5 * kPage, 19)), 5U);
  EXPECT_EQ(n_restored(tokens_of(5 * kPage, 0)), 0U);
  // What the folder cannot hold is not written.
  save(tokens_of(kPage, 30), {1}, page);
  EXPECT_EQ(n_restored(tokens_of(kPage, 30)), 0U);
  ASSERT_THAT(folder_.files(), SizeIs(1));
  EXPECT_EQ(folder_.files()[0].extension(), ".page");
}

}  // namespace
}  // namespace ogas
