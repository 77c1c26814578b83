#include "nn/kv_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ogas {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kPage = KvLayout::kPagePositions;

TEST(KvLayout, CountsBytesOfAllStreams) {
  KvLayout layout;
  EXPECT_EQ(layout.page_bytes(), 0U);
  layout.add({.n_heads = 3, .k_dim = 8, .v_dim = 8});
  layout.add({.n_heads = 1, .k_dim = 16, .v_dim = 4});  // layers may differ
  EXPECT_EQ(layout.position_bytes(), (3 * (8 + 8) + 16 + 4) * 2U);
  EXPECT_EQ(layout.page_bytes(), layout.position_bytes() * kPage);
  ASSERT_TRUE(layout.set_format(Format::f32));
  EXPECT_EQ(layout.position_bytes(), (3 * (8 + 8) + 16 + 4) * 4U);
  EXPECT_EQ(layout.sequence_bytes(kPage + 10, 9), 2 * layout.page_bytes());
}

TEST(KvLayout, OffsetsDoNotOverlap) {
  KvLayout layout;
  const KvStreamId streams[] = {layout.add({.n_heads = 2, .k_dim = 8, .v_dim = 4}),
                                layout.add({.n_heads = 1, .k_dim = 12, .v_dim = 0}),
                                layout.add({.n_heads = 3, .k_dim = 4, .v_dim = 4, .positions_per_entry = 4})};
  std::set<uint64_t> taken;
  uint64_t n_bytes = 0;
  const auto take = [&](uint64_t offset, uint64_t n) {
    for (uint64_t at = offset; at < offset + n; ++at) EXPECT_TRUE(taken.insert(at).second) << at;
    n_bytes += n;
  };
  for (const KvStreamId id : streams)
    for (uint32_t head = 0; head < layout.stream(id).n_heads; ++head) {
      const uint64_t n_entries = kPage / layout.stream(id).positions_per_entry;
      take(layout.k_offset(id, head), layout.k_bytes(id) * n_entries);
      if (layout.stream(id).v_dim > 0) take(layout.v_offset(id, head), layout.v_bytes(id) * n_entries);
    }
  EXPECT_EQ(n_bytes, layout.page_bytes());
  EXPECT_EQ(*taken.rbegin(), layout.page_bytes() - 1);
  // Without values of its own a stream's values are the beginning of its keys.
  EXPECT_EQ(layout.v_offset(streams[1], 0), layout.k_offset(streams[1], 0));
}

// Layers with a window: in pages of their own, of which a sequence holds only some.
class KvLayoutWindows : public ::testing::Test {
 protected:
  KvLayoutWindows() {
    full_ = layout_.add({.k_dim = 4, .v_dim = 4});
    window_ = layout_.add({.n_heads = 3, .k_dim = 4, .v_dim = 4, .window = 130});
    wide_ = layout_.add({.k_dim = 4, .v_dim = 4, .window = 200});
  }
  KvLayout layout_;
  KvStreamId full_, window_, wide_;
};

TEST_F(KvLayoutWindows, LieInPagesOfTheirOwn) {
  const uint64_t head_bytes = kPage * (4 + 4) * 2;
  EXPECT_EQ(layout_.kind_of(full_), KvPageKind::full);
  EXPECT_EQ(layout_.kind_of(wide_), KvPageKind::window);
  EXPECT_EQ(layout_.page_bytes(KvPageKind::full), head_bytes);
  EXPECT_EQ(layout_.page_bytes(KvPageKind::window), 4 * head_bytes);
  EXPECT_EQ(layout_.k_offset(window_, 0), 0U);
  EXPECT_EQ(layout_.k_offset(wide_, 0), 3 * head_bytes);
  EXPECT_THAT(layout_.page_kinds(), ::testing::ElementsAre(KvPageKind::full, KvPageKind::window));
  EXPECT_THAT(KvLayout().page_kinds(), ::testing::ElementsAre(KvPageKind::full));
}

TEST_F(KvLayoutWindows, ReachBackToAPage) {
  EXPECT_EQ(layout_.window(), 200U);
  EXPECT_EQ(layout_.first_window_page(0), 0U);
  EXPECT_EQ(layout_.first_window_page(199 + kPage - 1), 0U);  // sees position 63 first
  EXPECT_EQ(layout_.first_window_page(199 + kPage), 1U);
  EXPECT_EQ(layout_.n_window_pages(2 * kPage), 2U);
  EXPECT_EQ(layout_.n_window_pages(10 * kPage), 4U);
  EXPECT_EQ(layout_.n_window_pages(10 * kPage + 8), 4U);  // sees 449 to 647
  EXPECT_TRUE(layout_.needs_snapshots());
  EXPECT_EQ(layout_.snapshot_bytes(), 4 * layout_.page_bytes(KvPageKind::window));
}

TEST_F(KvLayoutWindows, TakeNoMoreForMorePositions) {
  const auto n_bytes = [&](uint64_t n_full, uint64_t n_window) {
    return n_full * layout_.page_bytes(KvPageKind::full) + n_window * layout_.page_bytes(KvPageKind::window);
  };
  EXPECT_EQ(layout_.bytes_of_pages(3 * kPage, 1), n_bytes(3, 3));
  EXPECT_EQ(layout_.bytes_of_pages(100 * kPage, 1), n_bytes(100, 4 + 1));
  EXPECT_EQ(layout_.bytes_of_pages(100 * kPage, kPage), n_bytes(100, 4 + 2));
  // All that fits, and no more.
  for (const uint64_t n_pages : {2, 5, 40}) {
    const uint64_t bytes = layout_.bytes_of_pages(n_pages * kPage, kPage) + n_pages * 10;
    EXPECT_EQ(layout_.positions_within(bytes, kPage, 10, 1000 * kPage), n_pages * kPage);
    EXPECT_EQ(layout_.positions_within(bytes - 1, kPage, 10, 1000 * kPage), (n_pages - 1) * kPage);
    EXPECT_EQ(layout_.positions_within(bytes, kPage, 10, 3 * kPage + 1), std::min<uint64_t>(n_pages, 3) * kPage);
  }
  EXPECT_EQ(layout_.read_bytes(1000), (1000 + 3 * 129 + 199) * 16U);
  EXPECT_EQ(layout_.read_bytes(100), 500 * 16U);
}

TEST(KvLayout, CountsStatesAndASnapshotOfThem) {
  KvLayout layout;
  layout.add({.k_dim = 4, .v_dim = 4});
  const KvStateId first = layout.add_state(6), second = layout.add_state(10);
  EXPECT_EQ(layout.n_states(), 2U);
  EXPECT_EQ(layout.state_bytes(), 16U * 4);
  EXPECT_EQ(layout.state_offset(first), 0U);
  EXPECT_EQ(layout.state_offset(second), 6U);
  EXPECT_EQ(layout.state_values(second), 10U);
  EXPECT_EQ(layout.sequence_bytes(10, 9), layout.page_bytes() + 2 * layout.state_bytes());
}

TEST(KvLayout, RefusesFormatsThatDoNotFit) {
  KvLayout layout;
  layout.add({.k_dim = 64, .v_dim = 64});
  EXPECT_TRUE(layout.set_format(Format::q8_0));
  EXPECT_THAT(layout.set_format(Format::q6_k).error().message, HasSubstr("not Q6_K"));
  layout.add({.k_dim = 40, .v_dim = 0});
  const auto refused = layout.set_format(Format::q4_0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_THAT(refused.error().message, HasSubstr("40 dimensions"));
}

TEST(KvLayout, DifferentLayoutsHaveDifferentDescriptions) {
  const auto describe = [](const KvStream& stream, uint64_t n_values, Format format) {
    KvLayout layout;
    layout.add(stream);
    if (n_values > 0) layout.add_state(n_values);
    EXPECT_TRUE(layout.set_format(format));
    return layout.describe();
  };
  const std::set<std::string> all = {describe({.k_dim = 4, .v_dim = 4}, 0, Format::f16),
                                     describe({.k_dim = 8, .v_dim = 0}, 0, Format::f16),
                                     describe({.n_heads = 2, .k_dim = 2, .v_dim = 2}, 0, Format::f16),
                                     describe({.k_dim = 4, .v_dim = 4, .window = 9}, 0, Format::f16),
                                     describe({.k_dim = 4, .v_dim = 4, .positions_per_entry = 2}, 0, Format::f16),
                                     describe({.k_dim = 4, .v_dim = 4}, 3, Format::f16),
                                     describe({.k_dim = 4, .v_dim = 4}, 0, Format::bf16)};
  EXPECT_EQ(all.size(), 7U);
}

}  // namespace
}  // namespace ogas
