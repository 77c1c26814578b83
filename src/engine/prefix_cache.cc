#include "engine/prefix_cache.h"

#include <algorithm>

#include "base/check.h"

namespace ogas {
namespace {

constexpr size_t kPage = KvLayout::kPagePositions;

// Calls visit(page) for each whole page of the tokens behind the model, until it returns false.
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
      n_max_(std::max<size_t>(kv_cache.n_free(), 1)),
      store_(std::move(store)) {}

PrefixCache::~PrefixCache() = default;

PrefixCache::Lookup PrefixCache::look_up(const PrefixPage& page, Node*& node) {
  const auto found = nodes_.find(page.key);
  if (found == nodes_.end()) return Lookup::absent;
  node = &found->second;
  return node->parent == page.parent && std::ranges::equal(node->tokens, page.tokens) ? Lookup::found : Lookup::other;
}

void PrefixCache::use(const PrefixKey& key, Node& node) {
  const bool is_leaf = node.n_children == 0;
  if (is_leaf) leaves_.erase({node.worth, key});
  node.worth = time_ + 1 + static_cast<double>(node.depth) * cost_growth_;
  if (is_leaf) leaves_.insert({node.worth, key});
}

void PrefixCache::insert(const PrefixPage& page, const KvPage& share) {
  if (page.depth > 0) {
    Node& before = nodes_.at(page.parent);
    if (before.n_children++ == 0) leaves_.erase({before.worth, page.parent});
  }
  time_ += 1 / static_cast<double>(n_max_);
  Node node{.parent = page.parent, .tokens = {}, .page = share, .depth = page.depth};
  std::ranges::copy(page.tokens, node.tokens.begin());
  use(page.key, nodes_.emplace(page.key, std::move(node)).first->second);
}

std::vector<KvPage> PrefixCache::find(std::span<const TokenId> tokens) {
  std::vector<KvPage> pages;
  for_pages(model_, tokens, [&](const PrefixPage& page) {
    Node* node = nullptr;
    const Lookup lookup = look_up(page, node);
    if (lookup == Lookup::other) return false;
    if (lookup == Lookup::found) {
      use(page.key, *node);
      pages.push_back(node->page);
      return true;
    }
    if (!store_ || !store_->may_have(page.key) || !reserve_pages(1)) return false;
    const KvPage share = kv_cache_.take();
    if (!store_->load(page, {share.data(), kv_cache_.layout().page_bytes()})) return false;
    insert(page, share);
    pages.push_back(share);
    return true;
  });
  return pages;
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

void PrefixCache::save(const KvSequence& kv, std::span<const TokenId> tokens) {
  if (!store_) return;
  const auto now = std::filesystem::file_time_type::clock::now();
  for_pages(model_, tokens, [&](const PrefixPage& page) {
    store_->save(page, kv.page(page.depth), now);
    return true;
  });
}

bool PrefixCache::drop_one() {
  for (const auto& [worth, key] : leaves_) {
    const auto found = nodes_.find(key);
    const Node& node = found->second;
    if (node.page.is_shared()) continue;
    if (node.depth > 0) {
      Node& before = nodes_.at(node.parent);
      if (--before.n_children == 0) leaves_.insert({before.worth, node.parent});
    }
    leaves_.erase({worth, key});
    nodes_.erase(found);
    return true;
  }
  return false;
}

bool PrefixCache::reserve_pages(size_t n_pages) {
  if (store_) store_->collect();
  while (kv_cache_.n_free() < n_pages)
    if (!drop_one()) {
      if (!store_ || store_->n_pending() == 0) return false;
      store_->flush();  // what it still had to write is held no longer
    }
  return true;
}

size_t PrefixCache::n_reclaimable() {
  if (store_) store_->collect();
  return static_cast<size_t>(
      std::ranges::count_if(nodes_, [](const auto& entry) { return !entry.second.page.is_shared(); }));
}

void PrefixCache::flush() {
  if (store_) store_->flush();
}

}  // namespace ogas
