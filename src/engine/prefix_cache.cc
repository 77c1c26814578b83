#include "engine/prefix_cache.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "base/check.h"

namespace ogas {
namespace {

constexpr size_t kPage = KvLayout::kPagePositions;

// Calls visit(page) for each whole page of the tokens after the model, until it returns false.
template <class Visit>
void for_pages(const PrefixKey& model, std::span<const TokenId> tokens, const Visit& visit) {
  PrefixKey parent = model;
  for (size_t idx = 0; idx < tokens.size() / kPage; ++idx) {
    const PageTokens page_tokens = tokens.subspan(idx * kPage).first<kPage>();
    const PrefixKey key = parent.then(page_tokens);
    if (!visit(PrefixPage{key, parent, page_tokens, idx})) return;
    parent = key;
  }
}

}  // namespace

PrefixCache::PrefixCache(KvCache& kv_cache, const PrefixKey& model, double cost_growth,
                         std::unique_ptr<PrefixStore> store)
    : kv_cache_(kv_cache),
      model_(model),
      cost_growth_(cost_growth),
      budget_(std::max<uint64_t>(kv_cache.bytes_free(), 1)),
      store_(std::move(store)) {
  const KvLayout& kv = kv_cache.layout();
  constexpr size_t kMinEnds = 16, kShareOfEnds = 16;
  const uint64_t end_bytes = std::max<uint64_t>(kv.page_bytes() + kv.state_bytes(), 1);
  max_ends_ = std::max<size_t>(kMinEnds, budget_ / kShareOfEnds / end_bytes);
  if (!kv.needs_snapshots()) return;
  constexpr size_t kMinPages = 16, kMaxPages = 64;
  snapshot_pages_ = (kv.snapshot_bytes() - 1) / std::max<uint64_t>(kv.page_bytes(), 1) + 1;
  const size_t window_pages = std::bit_ceil(std::max<size_t>(KvLayout::pages_for(kv.window()), 1));
  const size_t pages = has_states() ? std::clamp(std::bit_ceil(snapshot_pages_) / 2, kMinPages, kMaxPages)
                                    : std::clamp<size_t>(window_pages / 4, 1, kMinPages);
  snapshot_stride_ = pages * kPage;
  saved_stride_ = std::max(pages, window_pages) * kPage;
}

PrefixCache::~PrefixCache() { kv_cache_.set_snapshot_bytes(0); }

PrefixCache::Lookup PrefixCache::look_up(const PrefixPage& page, Node*& node) {
  const auto found = nodes_.find(page.key);
  if (found == nodes_.end()) return Lookup::absent;
  node = &found->second;
  return node->parent == page.parent && std::ranges::equal(node->tokens, page.tokens) ? Lookup::found : Lookup::other;
}

// A page after the last snapshot saves no computation.
double PrefixCache::worth_of_page(const Node& node) const {
  return node.used + (snapshot_pages_ > 0 ? 0 : 1 + static_cast<double>(node.depth) * cost_growth_);
}

void PrefixCache::list_if_leaf(const PrefixKey& key, const Node& node) {
  if (node.n_children == 0 && !node.snapshot) leaves_.insert({worth_of_page(node), key});
}

void PrefixCache::unlist_if_leaf(const PrefixKey& key, const Node& node) {
  if (node.n_children == 0 && !node.snapshot) leaves_.erase({worth_of_page(node), key});
}

void PrefixCache::use(const PrefixKey& key, Node& node) {
  unlist_if_leaf(key, node);
  node.used = time_;
  list_if_leaf(key, node);
}

void PrefixCache::insert(const PrefixPage& page, const KvPage& share) {
  if (page.depth > 0) {
    Node& before = nodes_.at(page.parent);
    unlist_if_leaf(page.parent, before);
    ++before.n_children;
  }
  advance_time(kv_cache_.layout().page_bytes(KvPageKind::full));
  Node node{.parent = page.parent, .tokens = {}, .page = share, .snapshot = {}, .depth = page.depth, .used = time_};
  std::ranges::copy(page.tokens, node.tokens.begin());
  list_if_leaf(page.key, nodes_.emplace(page.key, std::move(node)).first->second);
}

void PrefixCache::put_snapshot(const PrefixKey& key, Node& node, KvSnapshot snapshot) {
  unlist_if_leaf(key, node);
  node.snapshot = std::move(snapshot);
  snapshots_.push_back(key);
  count_snapshots();
  advance_time(kv_cache_.layout().snapshot_bytes());
  node.used = time_;
}

// A page in memory, or brought there from the store; null where there is none.
PrefixCache::Node* PrefixCache::get_page(const PrefixPage& page) {
  Node* node = nullptr;
  const Lookup lookup = look_up(page, node);
  if (lookup == Lookup::other) return nullptr;
  if (lookup == Lookup::absent) {
    if (!store_ || !reserve(kv_cache_.layout().page_bytes(KvPageKind::full))) return nullptr;
    const KvPage share = kv_cache_.take();
    if (!store_->load(page, {share.data(), kv_cache_.layout().page_bytes(KvPageKind::full)})) return nullptr;
    insert(page, share);
    return &nodes_.at(page.key);
  }
  use(page.key, *node);
  return node;
}

// Those whose windows a sequence needs that continues after the last of these.
std::span<const PrefixPage> PrefixCache::in_windows(std::span<const PrefixPage> pages) const {
  return pages.last(kv_cache_.layout().n_window_pages(pages.size() * kPage));
}

std::optional<KvSnapshot> PrefixCache::load_snapshot(std::span<const PrefixPage> pages) {
  const KvLayout& kv = kv_cache_.layout();
  const std::span<const PrefixPage> windows = in_windows(pages);
  const uint64_t window_bytes = kv.page_bytes(KvPageKind::window);
  if (!store_ || !reserve_if_possible(kv.state_bytes() + windows.size() * window_bytes)) return std::nullopt;
  KvSnapshot snapshot;
  if (has_states()) {
    snapshot.states = kv_cache_.take_states();
    if (!store_->load_states(pages.back(), snapshot.states->bytes())) return std::nullopt;
  }
  for (const PrefixPage& page : windows) {
    snapshot.window_pages.push_back(kv_cache_.take(KvPageKind::window));
    if (!store_->load_window(page, {snapshot.window_pages.back().data(), window_bytes})) return std::nullopt;
  }
  return snapshot;
}

// The same for the snapshot of the last page, which is in memory, and shared by others.
const KvSnapshot* PrefixCache::get_snapshot(std::span<const PrefixPage> pages) {
  const PrefixKey& key = pages.back().key;
  Node& node = nodes_.at(key);
  if (!node.snapshot)
    if (auto loaded = load_snapshot(pages)) put_snapshot(key, node, *std::move(loaded));
  return node.snapshot ? &*node.snapshot : nullptr;
}

// Whether a sequence can continue after the last of these pages, as far as is known without reading it.
bool PrefixCache::may_continue_after(std::span<const PrefixPage> pages) const {
  if (snapshot_pages_ == 0) return true;
  const auto found = nodes_.find(pages.back().key);
  if (found != nodes_.end() && found->second.snapshot) return true;
  return store_ && (!has_states() || store_->may_have_states(pages.back().key)) &&
         std::ranges::all_of(in_windows(pages),
                             [&](const PrefixPage& page) { return store_->may_have_window(page.key); });
}

// The longest one after these whole pages whose tokens come next.
PrefixCache::End* PrefixCache::find_end(const PrefixKey& parent, std::span<const TokenId> tokens) {
  End* longest = nullptr;
  for (End& end : ends_)
    if (end.parent == parent && end.tokens.size() > (longest ? longest->tokens.size() : 0) &&
        end.tokens.size() <= tokens.size() && std::ranges::equal(end.tokens, tokens.first(end.tokens.size())))
      longest = &end;
  return longest;
}

// Pages of these tokens that are in memory or may be in the store, up to the first that is in neither.
std::vector<PrefixPage> PrefixCache::known_pages(std::span<const TokenId> tokens) {
  std::vector<PrefixPage> known;
  for_pages(model_, tokens, [&](const PrefixPage& page) {
    Node* node = nullptr;
    const Lookup lookup = look_up(page, node);
    if (lookup == Lookup::other || (lookup == Lookup::absent && !(store_ && store_->may_have(page.key)))) return false;
    known.push_back(page);
    return true;
  });
  return known;
}

// Takes pages off a match of these until a sequence can continue after the last one.
void PrefixCache::shorten_to_snapshot(std::span<const PrefixPage> known, PrefixMatch& match) {
  for (; !match.pages.empty(); match.pages.pop_back()) {
    const auto pages = known.first(match.pages.size());
    if (!may_continue_after(pages)) continue;
    if (snapshot_pages_ == 0) return;
    if (const KvSnapshot* snapshot = get_snapshot(pages)) {
      match.snapshot = *snapshot;
      return;
    }
  }
}

PrefixMatch PrefixCache::find(std::span<const TokenId> tokens) {
  std::vector<PrefixPage> known = known_pages(tokens);
  PrefixMatch match{.pages = {}, .snapshot = {}, .n_known = known.size()};
  std::optional<End> end;  // a copy, whose shares keep it in memory
  for (;; known.pop_back()) {
    if (End* found = find_end(known.empty() ? model_ : known.back().key, tokens.subspan(known.size() * kPage))) {
      found->used = ++n_uses_of_ends_;
      end = *found;
    }
    if (end || known.empty() || may_continue_after(known)) break;
  }
  for (const PrefixPage& page : known) {
    const Node* node = get_page(page);
    if (!node) break;
    match.pages.push_back(node->page);
  }
  if (end && match.pages.size() == known.size()) {
    match.n_positions = match.pages.size() * kPage + end->tokens.size();
    match.pages.push_back(end->page);
    match.snapshot = std::move(end->snapshot);
    return match;
  }
  shorten_to_snapshot(known, match);
  match.n_positions = match.pages.size() * kPage;
  return match;
}

void PrefixCache::add(KvSequence& kv, std::span<const TokenId> tokens) {
  OGAS_CHECK(tokens.size() <= kv.n_positions(), "{} tokens of {}", tokens.size(), kv.n_positions());
  for_pages(model_, tokens, [&](const PrefixPage& page) {
    Node* node = nullptr;
    const Lookup lookup = look_up(page, node);
    if (lookup == Lookup::found) kv.use_page(page.depth, node->page);
    if (lookup == Lookup::absent) insert(page, kv.page(page.depth));
    return lookup != Lookup::other;
  });
}

void PrefixCache::add_snapshot(const KvSequence& kv, std::span<const TokenId> tokens, size_t position) {
  if (position == 0 || position % kPage != 0 || position > tokens.size()) return;
  Node* node = nullptr;
  PrefixKey key;
  for_pages(model_, tokens.first(position), [&](const PrefixPage& page) {
    key = page.key;
    return look_up(page, node) == Lookup::found && node->page.data() == kv.page(page.depth).data();
  });
  // The sequence shares the page: it is not evicted here.
  const bool is_its_own =
      node && (node->depth + 1) * kPage == position && node->page.data() == kv.page(node->depth).data();
  if (!is_its_own || node->snapshot) return;
  auto snapshot = kv.snapshot_at(position);
  if (snapshot && reserve_if_possible(kv_cache_.layout().state_bytes())) put_snapshot(key, *node, *std::move(snapshot));
}

// The sequence has copies of the pages and states as soon as it continues: there must be memory for these, too.
void PrefixCache::add_end(const KvSequence& kv, std::span<const TokenId> tokens) {
  OGAS_CHECK(tokens.size() == kv.n_positions(), "{} tokens of {}", tokens.size(), kv.n_positions());
  const std::span<const TokenId> begun = tokens.subspan(tokens.size() / kPage * kPage);
  if (begun.empty()) return add_snapshot(kv, tokens, tokens.size());
  PrefixKey parent = model_;
  for_pages(model_, tokens, [&](const PrefixPage& page) {
    parent = page.key;
    return true;
  });
  const KvLayout& layout = kv_cache_.layout();
  const uint64_t n_bytes = 2 * (layout.page_bytes() + layout.state_bytes());
  const End* known = find_end(parent, begun);
  if (known && known->tokens.size() == begun.size()) return;
  while (ends_.size() >= max_ends_ || kv_cache_.bytes_free() < n_bytes)
    if (!drop_oldest_end()) return;
  ends_.push_back({.parent = parent,
                   .tokens = {begun.begin(), begun.end()},
                   .page = kv.page(tokens.size() / kPage),
                   .snapshot = kv.snapshot_at(tokens.size()),
                   .used = ++n_uses_of_ends_});
  count_snapshots();
}

bool PrefixCache::drop_oldest_end() {
  if (ends_.empty()) return false;
  ends_.erase(std::ranges::min_element(ends_, {}, &End::used));
  count_snapshots();
  return true;
}

// Their states take bytes of the budget.
void PrefixCache::count_snapshots() {
  kv_cache_.set_snapshot_bytes((snapshots_.size() + ends_.size()) * kv_cache_.layout().state_bytes());
}

void PrefixCache::save(const KvSequence& kv, std::span<const TokenId> tokens) {
  if (!store_) return;
  const auto now = std::filesystem::file_time_type::clock::now();
  std::vector<PrefixPage> pages, with_snapshot;
  for_pages(model_, tokens, [&](const PrefixPage& page) {
    const KvPage& share = kv.page(page.depth);
    store_->save(page, share, {share.data(), kv_cache_.layout().page_bytes(KvPageKind::full)}, now);
    pages.push_back(page);
    Node* node = nullptr;
    if (look_up(page, node) == Lookup::found && node->snapshot) with_snapshot.push_back(page);
    return true;
  });
  for (const PrefixPage& page : with_snapshot) {
    const Node& node = nodes_.at(page.key);
    if (&page == &with_snapshot.back() || (page.depth + 1) * kPage % saved_stride_ == 0 || node.n_children > 1)
      save_snapshot(std::span(pages).first(page.depth + 1), *node.snapshot, now);
  }
}

void PrefixCache::save_snapshot(std::span<const PrefixPage> pages, const KvSnapshot& snapshot,
                                std::filesystem::file_time_type now) {
  if (snapshot.states) store_->save_states(pages.back(), *snapshot.states, now);
  const std::span<const PrefixPage> windows = in_windows(pages);
  for (size_t idx = 0; idx < windows.size(); ++idx) {
    const KvPage& share = snapshot.window_pages[idx];
    store_->save_window(windows[idx], share, {share.data(), kv_cache_.layout().page_bytes(KvPageKind::window)}, now);
  }
}

// Null where sequences share all of them.
const PrefixKey* PrefixCache::worst_leaf() const {
  const auto found =
      std::ranges::find_if(leaves_, [&](const auto& leaf) { return !nodes_.at(leaf.second).page.is_shared(); });
  return found == leaves_.end() ? nullptr : &found->second;
}

// Pages up to the end of this one, from the end of the one before it that has a snapshot, which becomes `before`.
size_t PrefixCache::pages_since_snapshot(const Node& node, PrefixKey& before) const {
  size_t n = 1;
  before = node.parent;
  for (size_t depth = node.depth; depth > 0; --depth, ++n) {
    const Node& parent = nodes_.at(before);
    if (parent.snapshot) break;
    before = parent.parent;
  }
  return n;
}

PrefixCache::WorstSnapshot PrefixCache::worst_snapshot(bool also_shared) const {
  constexpr double kGoesBack = 1.0 / 16;  // how often, of all turns
  std::vector<double> worths;
  std::unordered_set<PrefixKey, PrefixKeyHash> have_others_after;
  for (const PrefixKey& key : snapshots_) {
    const Node& node = nodes_.at(key);
    PrefixKey before;
    const double cost =
        static_cast<double>(pages_since_snapshot(node, before)) * (1 + static_cast<double>(node.depth) * cost_growth_);
    worths.push_back(cost / static_cast<double>(snapshot_pages_));
    have_others_after.insert(before);
  }
  WorstSnapshot worst;
  for (size_t idx = 0; idx < snapshots_.size(); ++idx) {
    const PrefixKey& key = snapshots_[idx];
    const Node& node = nodes_.at(key);
    if (node.snapshot->states && node.snapshot->states->is_shared() && !also_shared) continue;
    const double worth = node.used + worths[idx] * (have_others_after.contains(key) ? kGoesBack : 1);
    if (!worst.key || worth < worst.worth) worst = {&key, worth};
  }
  return worst;
}

void PrefixCache::drop_page(const PrefixKey& key) {
  const auto found = nodes_.find(key);
  const Node& node = found->second;
  unlist_if_leaf(key, node);
  if (node.depth > 0) {
    Node& before = nodes_.at(node.parent);
    --before.n_children;
    list_if_leaf(node.parent, before);
  }
  nodes_.erase(found);
}

void PrefixCache::drop_snapshot(const PrefixKey& key) {
  Node& node = nodes_.at(key);
  node.snapshot.reset();
  list_if_leaf(key, node);
  std::erase(snapshots_, key);
  count_snapshots();
}

bool PrefixCache::drop_one(bool also_shared_snapshots) {
  if (drop_oldest_end()) return true;
  const PrefixKey* leaf = worst_leaf();
  const WorstSnapshot snapshot = worst_snapshot(also_shared_snapshots);
  if (!leaf && !snapshot.key) return false;
  if (leaf && (!snapshot.key || worth_of_page(nodes_.at(*leaf)) <= snapshot.worth))
    drop_page(PrefixKey(*leaf));
  else
    drop_snapshot(PrefixKey(*snapshot.key));
  return true;
}

bool PrefixCache::reserve(uint64_t n_bytes) {
  if (store_) store_->collect();
  while (kv_cache_.bytes_free() < n_bytes) {
    if (drop_one(/*also_shared_snapshots=*/false)) continue;
    if (store_ && store_->n_pending() > 0)
      store_->flush();  // releases what it still had to write
    else if (!drop_one(/*also_shared_snapshots=*/true))
      return false;
  }
  return true;
}

// Nothing is evicted for what would not fit anyway.
bool PrefixCache::reserve_if_possible(uint64_t n_bytes) {
  const uint64_t n_free = kv_cache_.bytes_free();
  return n_bytes <= n_free || (n_bytes <= n_free + bytes_evictable() && reserve(n_bytes));
}

// What ends and snapshots alone hold.
uint64_t PrefixCache::bytes_of_ends_and_windows() const {
  const KvLayout& kv = kv_cache_.layout();
  uint64_t n_bytes = 0;
  std::unordered_map<const std::byte*, uint32_t> n_held;
  const auto add_share = [&](const KvPage& page, KvPageKind kind) {
    if (++n_held[page.data()] == page.n_shares()) n_bytes += kv.page_bytes(kind);
  };
  const auto add_windows = [&](const std::optional<KvSnapshot>& snapshot) {
    if (!snapshot) return;
    for (const KvPage& page : snapshot->window_pages) add_share(page, KvPageKind::window);
  };
  for (const PrefixKey& key : snapshots_) add_windows(nodes_.at(key).snapshot);
  for (const End& end : ends_) {
    add_share(end.page, KvPageKind::full);
    add_windows(end.snapshot);
  }
  return n_bytes;
}

uint64_t PrefixCache::bytes_evictable() {
  if (store_) store_->collect();
  const auto n_pages = std::ranges::count_if(nodes_, [](const auto& entry) { return !entry.second.page.is_shared(); });
  const KvLayout& kv = kv_cache_.layout();
  return static_cast<uint64_t>(n_pages) * kv.page_bytes(KvPageKind::full) +
         (snapshots_.size() + ends_.size()) * kv.state_bytes() + bytes_of_ends_and_windows();
}

uint64_t PrefixCache::bytes_reclaimable() {
  uint64_t n_shared = 0;
  const auto count = [&](const std::optional<KvSnapshot>& snapshot) {
    n_shared += snapshot && snapshot->states && snapshot->states->is_shared() ? 1 : 0;
  };
  for (const PrefixKey& key : snapshots_) count(nodes_.at(key).snapshot);
  for (const End& end : ends_) count(end.snapshot);
  return bytes_evictable() - n_shared * kv_cache_.layout().state_bytes();
}

void PrefixCache::flush() {
  if (store_) store_->flush();
}

}  // namespace ogas
