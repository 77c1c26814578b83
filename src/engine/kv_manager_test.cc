#include "engine/kv_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace ogas {
namespace {

using ::testing::HasSubstr;

constexpr size_t kPage = KvLayout::kPagePositions;

class KvManagerTest : public ::testing::Test {
 protected:
  static KvLayout layout() {
    KvLayout layout;
    layout.add({.n_heads = 1, .k_dim = 8, .v_dim = 8});
    return layout;
  }
  static KvManager manager(size_t n_pages, bool reuses_generated = true) {
    return {layout(), n_pages * layout().page_bytes(), reuses_generated};
  }
  // Holds the first n tokens of tokens_ afterwards, as if they had been computed.
  void compute(KvManager& kv, Session& session, size_t n, RowKind kind = RowKind::prefill) {
    const size_t n_held = session.tokens.size();
    ASSERT_TRUE(kv.reserve_positions(session.kv, n - n_held));
    session.kv.extend(n - n_held);
    session.append(std::span(tokens_).subspan(n_held, n - n_held), kind);
  }

  std::vector<TokenId> tokens_ = [] {
    std::vector<TokenId> tokens(8 * kPage);
    std::iota(tokens.begin(), tokens.end(), 0);
    return tokens;
  }();
};

TEST_F(KvManagerTest, SaysHowMuchIsMissing) {
  KvManager kv = manager(4);
  Session session(kv.cache());
  compute(kv, session, 3 * kPage);
  EXPECT_EQ(kv.bytes_available(), 1 * layout().page_bytes());
  EXPECT_EQ(kv.bytes_used(), 3 * layout().page_bytes());
  const auto reserved = kv.reserve_positions(session.kv, 2 * kPage);
  ASSERT_FALSE(reserved);
  EXPECT_EQ(reserved.error().code, ErrorCode::out_of_memory);
  EXPECT_THAT(reserved.error().message, HasSubstr("take 4.10 kB more; of the budget of 8.19 kB, 2.05 kB is free"));
}

TEST_F(KvManagerTest, EvictsCachedPrefixesForNewPages) {
  KvManager kv = manager(4);
  kv.enable_prefix_cache({}, 0, nullptr);
  {
    Session session(kv.cache());
    compute(kv, session, 3 * kPage);
    kv.insert_prefix(session, 3 * kPage);
    EXPECT_EQ(kv.bytes_cached(), 0) << "the session still holds them";
  }
  EXPECT_EQ(kv.bytes_cached(), 3 * layout().page_bytes());
  EXPECT_EQ(kv.bytes_used(), 0);
  EXPECT_EQ(kv.bytes_available(), 4 * layout().page_bytes());
  EXPECT_TRUE(kv.reserve(2 * layout().page_bytes()));
  EXPECT_EQ(kv.bytes_cached(), 2 * layout().page_bytes());
  EXPECT_TRUE(kv.reserve(4 * layout().page_bytes()));
  EXPECT_EQ(kv.bytes_cached(), 0);
}

TEST_F(KvManagerTest, ContinuesFromTheLongerOfSessionAndCache) {
  KvManager kv = manager(8);
  kv.enable_prefix_cache({}, 0, nullptr);
  Session first(kv.cache()), shorter(kv.cache()), longer(kv.cache());
  compute(kv, first, 2 * kPage + 5);
  kv.insert_prefix(first, first.tokens.size());

  compute(kv, shorter, kPage + 7);
  kv.match_prefix(shorter, std::span(tokens_).first(4 * kPage));
  EXPECT_EQ(shorter.tokens.size(), 2 * kPage);
  EXPECT_EQ(shorter.kv.n_positions(), 2 * kPage);
  EXPECT_EQ(shorter.n_prompt_tokens, 2 * kPage);
  EXPECT_EQ(shorter.kv.page(1).data(), first.kv.page(1).data());

  compute(kv, longer, 2 * kPage + 1);
  kv.match_prefix(longer, std::span(tokens_).first(4 * kPage));
  EXPECT_EQ(longer.tokens.size(), 2 * kPage + 1);
}

TEST_F(KvManagerTest, CachesGeneratedTokensOnlyWhereTheyHaveThePromptsBits) {
  for (const bool reuses_generated : {false, true}) {
    KvManager kv = manager(8, reuses_generated);
    kv.enable_prefix_cache({}, 0, nullptr);
    Session session(kv.cache()), next(kv.cache());
    compute(kv, session, kPage);
    compute(kv, session, 2 * kPage, RowKind::decode);
    kv.insert_prefix(session, session.tokens.size());
    kv.match_prefix(next, tokens_);
    EXPECT_EQ(next.tokens.size(), reuses_generated ? 2 * kPage : kPage);
    // Nor does a session that holds generated tokens take the pages of others.
    kv.match_prefix(session, tokens_);
    EXPECT_EQ(session.tokens.size(), 2 * kPage);
  }
}

// The next turn of a conversation, in another session.
TEST_F(KvManagerTest, ContinuesFromTheEndOfWhatWasComputed) {
  for (const bool reuses_generated : {false, true}) {
    KvManager kv = manager(12, reuses_generated);
    kv.enable_prefix_cache({}, 0, nullptr);
    Session session(kv.cache()), next(kv.cache());
    compute(kv, session, kPage + 9);
    kv.insert_prefix(session, session.tokens.size());
    kv.insert_end(session);
    compute(kv, session, kPage + 20, RowKind::decode);
    kv.insert_end(session);
    EXPECT_EQ(kv.match_prefix(next, tokens_), kPage);
    EXPECT_EQ(next.tokens.size(), reuses_generated ? kPage + 20 : kPage + 9);
    EXPECT_EQ(next.n_in_prefix_cache, kPage);
    compute(kv, next, 2 * kPage + 1);
    EXPECT_NE(next.kv.page(1).data(), session.kv.page(1).data()) << "a copy";
  }
}

TEST_F(KvManagerTest, CachesNothingUnlessItIsEnabled) {
  KvManager kv = manager(8);
  Session session(kv.cache()), next(kv.cache());
  compute(kv, session, 2 * kPage);
  kv.insert_prefix(session, session.tokens.size());
  kv.save_prefix(session, session.tokens.size());
  kv.flush_prefixes();
  kv.match_prefix(next, tokens_);
  EXPECT_EQ(next.tokens.size(), 0);
  EXPECT_EQ(kv.bytes_cached(), 0);
}

}  // namespace
}  // namespace ogas
