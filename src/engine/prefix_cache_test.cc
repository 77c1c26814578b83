// Cached pages, in memory and on disk. Pages hold what their tokens say, so that a wrong one is seen.
#include "engine/prefix_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include "base/log.h"
#include "engine/prefix_test_cache.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;
using testing::expect_pages, testing::Folder, testing::kModel, testing::kPage, testing::Tokens, testing::tokens_of;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Cache = testing::PrefixTestCache;

const KvLayout kLayout = testing::layout_of_states(0);

TEST(PrefixKey, HangsOnModelTokensAndOrder) {
  const Tokens a = tokens_of(kPage, 1), b = tokens_of(kPage, 2);
  const auto page = [](const Tokens& tokens) { return PageTokens(tokens.data(), kPage); };
  EXPECT_EQ(kModel.then(page(a)), kModel.then(page(a)));
  EXPECT_NE(kModel.then(page(a)), kModel.then(page(b)));
  EXPECT_NE(kModel.then(page(a)).then(page(b)), kModel.then(page(b)).then(page(a)));
  EXPECT_NE(kModel.then(page(a)), PrefixKey::of_model("another").then(page(a)));
  EXPECT_THAT(kModel.hex(), SizeIs(32));
}

TEST(PrefixCache, FindsTheBeginningThatIsAlike) {
  Cache cache(kLayout, 100);
  const Tokens tokens = tokens_of(5 * kPage + 3, 1);
  {
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens));
  }
  EXPECT_EQ(cache.kv.n_used(), 5U);  // a page that is not whole is not cached
  EXPECT_THAT(cache.prefixes.find(tokens).pages, SizeIs(5));
  EXPECT_THAT(cache.prefixes.find(std::span(tokens).first(2 * kPage + 40)).pages, SizeIs(2));
  Tokens other = tokens;
  other[3 * kPage + 1] += 1;
  const auto found = cache.prefixes.find(other).pages;
  EXPECT_THAT(found, SizeIs(3));
  expect_pages(found, other);
  other[0] += 1;
  EXPECT_THAT(cache.prefixes.find(other).pages, IsEmpty());
}

TEST(PrefixCache, WhatWasComputedTwiceIsHeldOnce) {
  Cache cache(kLayout, 100);
  const Tokens tokens = tokens_of(3 * kPage, 1);
  KvSequence first(cache.kv), second(cache.kv);
  second.extend(tokens.size());  // nothing was known when it began
  ASSERT_TRUE(cache.compute(first, tokens));
  EXPECT_EQ(cache.kv.n_used(), 6U);
  cache.prefixes.add(second, tokens);
  EXPECT_EQ(cache.kv.n_used(), 3U);
  EXPECT_EQ(second.page(1).data(), first.page(1).data());
  EXPECT_EQ(second.pages(KvStreamId{0})[1], first.pages(KvStreamId{0})[1]);
}

TEST(PrefixCache, DropsWhatWasNotUsedForLongFromTheEnd) {
  Cache cache(kLayout, 6);
  const Tokens old = tokens_of(3 * kPage, 1), recent = tokens_of(3 * kPage, 2);
  for (const Tokens* tokens : {&old, &recent}) {
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, *tokens));
  }
  EXPECT_EQ(cache.prefixes.bytes_evictable(), 6 * kLayout.page_bytes());
  cache.prefixes.find(old);  // used again, both alike: the last page of either may go
  ASSERT_TRUE(cache.prefixes.reserve(2 * kLayout.page_bytes()));
  EXPECT_EQ(cache.kv.n_used(), 4U);
  EXPECT_EQ(cache.prefixes.find(old).pages.size() + cache.prefixes.find(recent).pages.size(), 4U);
  // Ageing: what is never asked for goes before what is, however costly it was.
  for (int round = 0; round < 40; ++round) {
    cache.prefixes.find(std::span(recent).first(kPage));
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens_of(2 * kPage, 100 + round)));
  }
  EXPECT_THAT(cache.prefixes.find(old).pages, IsEmpty());
  EXPECT_THAT(cache.prefixes.find(std::span(recent).first(kPage)).pages, SizeIs(1));
}

TEST(PrefixCache, KeepsWhatSequencesHold) {
  Cache cache(kLayout, 4);
  const Tokens tokens = tokens_of(3 * kPage, 1);
  KvSequence sequence(cache.kv);
  ASSERT_TRUE(cache.compute(sequence, tokens));
  EXPECT_EQ(cache.prefixes.bytes_evictable(), 0 * kLayout.page_bytes());
  EXPECT_TRUE(cache.prefixes.reserve(1 * kLayout.page_bytes()));
  EXPECT_FALSE(cache.prefixes.reserve(2 * kLayout.page_bytes()));
  EXPECT_THAT(cache.prefixes.find(tokens).pages, SizeIs(3));
  sequence.truncate(kPage);
  EXPECT_EQ(cache.prefixes.bytes_evictable(), 2 * kLayout.page_bytes());
  EXPECT_TRUE(cache.prefixes.reserve(3 * kLayout.page_bytes()));
  EXPECT_FALSE(cache.prefixes.reserve(4 * kLayout.page_bytes()));
}

// Random prompts over few letters, so that they begin alike in all ways, and a budget that is never enough.
TEST(PrefixCache, RandomSequencesFindOnlyTheirOwn) {
  std::mt19937 random(5);
  for (const bool with_disk : {false, true}) {
    const Folder folder;
    auto cache =
        std::make_unique<Cache>(kLayout, 12, with_disk ? Cache::store(folder, 40 * kLayout.page_bytes()) : nullptr);
    std::vector<std::unique_ptr<KvSequence>> running;
    size_t n_found = 0, n_refused = 0;
    for (int step = 0; step < (with_disk ? 2000 : 10000); ++step) {
      if (random() % 3 == 0 && !running.empty()) running.erase(running.begin() + random() % running.size());
      if (with_disk && random() % 200 == 0) {  // a restart
        running.clear();
        cache.reset();
        cache = std::make_unique<Cache>(kLayout, 12, Cache::store(folder, 40 * kLayout.page_bytes()));
      }
      Tokens tokens(random() % (5 * kPage));
      for (size_t idx = 0; idx < tokens.size(); ++idx) tokens[idx] = idx % kPage == 0 ? random() % 2 : 0;
      auto sequence = std::make_unique<KvSequence>(cache->kv);
      const size_t n_before = cache->prefixes.find(tokens).pages.size();
      if (!cache->compute(*sequence, tokens)) {
        ++n_refused;
        running.clear();
        continue;
      }
      n_found += n_before;
      std::vector<KvPage> pages;
      for (size_t idx = 0; idx < tokens.size() / kPage; ++idx) pages.push_back(sequence->page(idx));
      expect_pages(pages, tokens);
      if (::testing::Test::HasFailure()) return;
      if (with_disk) cache->prefixes.save(*sequence, tokens);
      running.push_back(std::move(sequence));
    }
    EXPECT_GT(n_found, 500U);
    EXPECT_GT(n_refused, 10U);
    running.clear();
    cache->prefixes.flush();
    EXPECT_EQ(cache->prefixes.bytes_evictable(), cache->kv.bytes_used());
    EXPECT_TRUE(cache->prefixes.reserve(12 * kLayout.page_bytes()));
    EXPECT_EQ(cache->kv.n_used(), 0U);
  }
}

class PrefixStoreTest : public ::testing::Test {
 protected:
  void save(const Tokens& tokens, uint64_t budget = 1 << 20) {
    Cache cache(kLayout, 100, Cache::store(folder_, budget));
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens));
    cache.prefixes.save(sequence, tokens);
    cache.prefixes.flush();
  }
  // How many pages another process finds.
  size_t n_found(const Tokens& tokens) {
    Cache cache(kLayout, 100, Cache::store(folder_));
    const auto pages = cache.prefixes.find(tokens).pages;
    expect_pages(pages, tokens);
    return pages.size();
  }
  Folder folder_;
};

TEST_F(PrefixStoreTest, IsFoundAgain) {
  const Tokens tokens = tokens_of(5 * kPage + 9, 1);
  EXPECT_EQ(n_found(tokens), 0U);
  save(tokens);
  EXPECT_THAT(folder_.files(), SizeIs(5));
  EXPECT_EQ(n_found(tokens), 5U);
  Tokens other = tokens;
  other[2 * kPage] += 1;
  EXPECT_EQ(n_found(other), 2U);
  // Not by another model.
  Cache cache(kLayout, 100);
  PrefixCache of_another(cache.kv, PrefixKey::of_model("another"), 0.1,
                         std::make_unique<PrefixStore>(folder_.path, 1 << 20, PrefixKey::of_model("another")));
  EXPECT_THAT(of_another.find(tokens).pages, IsEmpty());
}

TEST_F(PrefixStoreTest, WhatIsDamagedOrForeignIsRemovedAndNotUsed) {
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);  // each of the processes below would warn
  const Tokens tokens = tokens_of(2 * kPage, 1);
  save(tokens);
  const auto files = folder_.files();
  ASSERT_THAT(files, SizeIs(2));
  const uint64_t size = fs::file_size(files[0]);
  const auto overwrite = [&](const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  };
  std::vector<std::string> sound;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    sound.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  std::vector<std::string> bad = {"", "short", sound[0] + "x", sound[0].substr(0, size - 1), std::string(size, '\0')};
  for (size_t at = 0; at < size; at += at < 400 ? 1 : 97) {
    bad.push_back(sound[0]);
    bad.back()[at] = static_cast<char>(bad.back()[at] ^ 0x10);
  }
  for (const std::string& content : bad) {
    overwrite(files[0], content);
    overwrite(files[1], sound[0]);  // whole, but of another page
    ASSERT_LE(n_found(tokens), 0U);
    EXPECT_FALSE(fs::exists(files[0]) && fs::exists(files[1]));
    overwrite(files[0], sound[0]);
    overwrite(files[1], sound[1]);
    ASSERT_EQ(n_found(tokens), 2U);
  }
  spdlog::set_level(level);
}

TEST_F(PrefixStoreTest, StaysWithinItsBudgetAndLosesTheOldestFromTheirEnds) {
  const uint64_t page = kLayout.page_bytes() + 400;
  for (TokenId seed = 0; seed < 30; ++seed) {
    save(tokens_of(7 * kPage, seed), 20 * page);
    EXPECT_LE(folder_.bytes(), 20 * page);
  }
  EXPECT_EQ(n_found(tokens_of(7 * kPage, 29)), 7U);
  EXPECT_EQ(n_found(tokens_of(7 * kPage, 0)), 0U);
  size_t n_pages = 0;  // what is there can all be found: no ends without a beginning
  for (TokenId seed = 0; seed < 30; ++seed) n_pages += n_found(tokens_of(7 * kPage, seed));
  EXPECT_EQ(n_pages, folder_.files().size());
}

TEST_F(PrefixStoreTest, WhatItLostIsWrittenAgain) {
  const uint64_t page = kLayout.page_bytes() + 400;
  Cache cache(kLayout, 100, Cache::store(folder_, 5 * page));
  const Tokens first = tokens_of(4 * kPage, 1), second = tokens_of(4 * kPage, 2);
  const auto save = [&](const Tokens& tokens) {
    KvSequence sequence(cache.kv);
    ASSERT_TRUE(cache.compute(sequence, tokens));
    cache.prefixes.save(sequence, tokens);
    cache.prefixes.flush();
  };
  save(first);
  save(second);
  EXPECT_EQ(n_found(first), 0U);
  save(first);
  EXPECT_EQ(n_found(first), 4U);
}

TEST_F(PrefixStoreTest, AFolderThatCannotBeWrittenCostsNothing) {
  Cache cache(kLayout, 100, std::make_unique<PrefixStore>("/dev/null/prefixes", 1 << 20, kModel));
  KvSequence sequence(cache.kv);
  ::testing::internal::CaptureStdout();
  ASSERT_TRUE(cache.compute(sequence, tokens_of(3 * kPage, 1)));
  cache.prefixes.save(sequence, tokens_of(3 * kPage, 1));
  cache.prefixes.flush();
  const std::string said = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  EXPECT_THAT(said, ::testing::HasSubstr("/dev/null/prefixes"));
  EXPECT_THAT(cache.prefixes.find(tokens_of(3 * kPage, 1)).pages, SizeIs(3));
}

TEST_F(PrefixStoreTest, AFullDiskCostsNothing) {
  if (::mount("tmpfs", folder_.path.c_str(), "tmpfs", 0, "size=16k") != 0) GTEST_SKIP() << "cannot mount a small disk";
  save(tokens_of(8 * kPage, 1));
  for (const auto& file : folder_.files()) EXPECT_EQ(file.extension(), ".page");
  EXPECT_LT(n_found(tokens_of(8 * kPage, 1)), 8U);
  ::umount(folder_.path.c_str());
}

TEST_F(PrefixStoreTest, WhatAProcessLeftHalfWrittenIsRemoved) {
  save(tokens_of(kPage, 1));
  const fs::path left = folder_.files()[0].string() + ".123-1.tmp";
  std::ofstream(left) << "half";
  fs::last_write_time(left, fs::file_time_type::clock::now() - std::chrono::hours(2));
  save(tokens_of(kPage, 2));
  EXPECT_FALSE(fs::exists(left));
}

}  // namespace
}  // namespace ogas
