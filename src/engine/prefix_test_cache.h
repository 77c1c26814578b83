// What tests of the prefix cache share: pages and states that hold what their tokens say, so that a wrong one is seen.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/prefix_cache.h"

namespace ogas::testing {

constexpr size_t kPage = KvLayout::kPagePositions;
inline const PrefixKey kModel = PrefixKey::of_model("a model");
using Tokens = std::vector<TokenId>;

// One stream, and a state of n_values floats; 0: none.
inline KvLayout layout_of_states(uint64_t n_values) {
  KvLayout layout;
  layout.add({.n_heads = 1, .k_dim = 8, .v_dim = 8});
  EXPECT_TRUE(layout.set_format(Format::f32));
  if (n_values > 0) layout.add_state(n_values);
  return layout;
}

// A stream of all positions, and one within a window, whose pages are as large.
inline constexpr KvStreamId kWindowStream{1};
inline KvLayout layout_of_window(uint32_t window) {
  KvLayout layout = layout_of_states(0);
  layout.add({.n_heads = 1, .k_dim = 8, .v_dim = 8, .window = window});
  return layout;
}

class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "ogas-prefix-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
      if (entry.is_regular_file()) all.push_back(entry.path());
    std::ranges::sort(all);
    return all;
  }
  uint64_t bytes() const {
    uint64_t total = 0;
    for (const auto& file : files()) total += std::filesystem::file_size(file);
    return total;
  }
  std::filesystem::path path;
};

// What a page and the states at its end hold: a mark of all tokens up to there.
inline uint32_t mark_of(std::span<const TokenId> tokens) {
  uint32_t mark = 1;
  for (const TokenId token : tokens) mark = mark * 1000003 + static_cast<uint32_t>(token);
  return mark;
}
inline void fill_with_mark(std::span<std::byte> bytes, std::span<const TokenId> tokens) {
  const uint32_t mark = mark_of(tokens);
  for (size_t at = 0; at < bytes.size(); at += sizeof mark) std::memcpy(bytes.data() + at, &mark, sizeof mark);
}
inline bool has_mark(std::span<const std::byte> bytes, std::span<const TokenId> tokens) {
  const uint32_t mark = mark_of(tokens);
  for (size_t at = 0; at < bytes.size(); at += sizeof mark)
    if (std::memcmp(bytes.data() + at, &mark, sizeof mark) != 0) return false;
  return true;
}
inline void expect_page(const KvPage& page, std::span<const TokenId> tokens) {
  ASSERT_TRUE(has_mark({page.data(), layout_of_states(0).page_bytes()}, tokens)) << "at " << tokens.size();
}
inline void expect_pages(std::span<const KvPage> pages, std::span<const TokenId> tokens) {
  for (size_t idx = 0; idx < pages.size(); ++idx) expect_page(pages[idx], tokens.first((idx + 1) * kPage));
}

inline Tokens tokens_of(size_t n, TokenId seed) {
  Tokens tokens(n);
  for (size_t idx = 0; idx < n; ++idx) tokens[idx] = static_cast<TokenId>(seed * 7919 + idx);
  return tokens;
}

// Pages and their cache; a sequence's pages are "computed" by compute().
struct PrefixTestCache {
  // A budget of n_pages.
  PrefixTestCache(const KvLayout& layout, size_t n_pages, std::unique_ptr<PrefixStore> store = nullptr)
      : kv(layout, n_pages * layout.page_bytes()), prefixes(kv, kModel, 0.1, std::move(store)) {}
  static std::unique_ptr<PrefixStore> store(const Folder& folder, uint64_t budget = 1 << 20) {
    return std::make_unique<PrefixStore>(folder.path, budget, kModel);
  }
  // Continues from what is known. Snapshots are taken after these numbers of pages. False where memory is short.
  bool compute(KvSequence& sequence, std::span<const TokenId> tokens, const std::set<size_t>& snapshots = {}) {
    const PrefixMatch match = prefixes.find(tokens);
    if (!match.pages.empty())
      sequence.add_pages(match.pages, match.n_positions, match.snapshot ? &*match.snapshot : nullptr);
    while (sequence.n_positions() < tokens.size()) {
      const size_t end = std::min(tokens.size(), (sequence.n_positions() / kPage + 1) * kPage);
      const size_t n = end - sequence.n_positions();
      if (!prefixes.reserve(sequence.prepare_to_extend(n))) return false;
      sequence.extend(n);
      const std::span<const TokenId> so_far = tokens.first(end);
      if (end % kPage == 0) write_page(sequence, so_far);
      if (kv.layout().n_states() > 0) fill_with_mark(std::as_writable_bytes(sequence.state(KvStateId{0})), so_far);
      prefixes.add(sequence, so_far);
      if (end % kPage != 0 || !snapshots.contains(end / kPage)) continue;
      if (kv.layout().n_states() > 0) sequence.snapshot();
      prefixes.add_snapshot(sequence, so_far, end);
    }
    return true;
  }
  // What was computed of the page at the end of these tokens.
  void write_page(const KvSequence& sequence, std::span<const TokenId> tokens) const {
    const KvLayout& layout = kv.layout();
    const size_t idx = tokens.size() / kPage - 1;
    fill_with_mark({sequence.page(idx).data(), layout.page_bytes(KvPageKind::full)}, tokens);
    if (layout.window() > 0)
      fill_with_mark({sequence.pages(kWindowStream)[idx], layout.page_bytes(KvPageKind::window)}, tokens);
  }
  // The same of one that is begun: its first position.
  void write_begun_page(const KvSequence& sequence, std::span<const TokenId> tokens) const {
    for (const auto bytes : begun_page(sequence, tokens.size())) fill_with_mark(bytes, tokens);
  }
  void expect_begun_page(const KvSequence& sequence, std::span<const TokenId> tokens) const {
    for (const auto bytes : begun_page(sequence, tokens.size())) EXPECT_TRUE(has_mark(bytes, tokens));
  }
  std::vector<std::span<std::byte>> begun_page(const KvSequence& sequence, size_t n) const {
    std::vector<std::span<std::byte>> found;
    for (const KvStreamId stream : {KvStreamId{0}, kWindowStream})
      if (stream.idx < kv.layout().streams().size())
        found.push_back({sequence.pages(stream)[n / kPage], kv.layout().k_bytes(stream)});
    return found;
  }

  KvCache kv;
  PrefixCache prefixes;
};

}  // namespace ogas::testing
