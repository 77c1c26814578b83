#include "engine/prefix_cache.h"

#include <algorithm>

#include "base/check.h"

namespace ogas {
namespace {

constexpr size_t kPage = KvShape::kPagePositions;

PageTokens page_of(std::span<const TokenId> tokens, size_t idx) { return tokens.subspan(idx * kPage).first<kPage>(); }

}  // namespace

PrefixCache::PrefixCache(KvCache& kv_cache, const PrefixKey& model, double cost_growth,
                         std::unique_ptr<PrefixStore> store)
    : kv_cache_(kv_cache),
      model_(model),
      cost_growth_(cost_growth),
      n_most_(std::max<size_t>(kv_cache.n_free(), 1)),
      store_(std::move(store)) {}

PrefixCache::~PrefixCache() = default;

PrefixCache::Lookup PrefixCache::look_up(const PrefixKey& key, const PrefixKey& parent, PageTokens tokens,
                                         Node*& node) {
  const auto found = nodes_.find(key);
  if (found == nodes_.end()) return Lookup::absent;
  node = &found->second;
  return node->parent == parent && std::ranges::equal(node->tokens, tokens) ? Lookup::found : Lookup::other;
}

void PrefixCache::use(const PrefixKey& key, Node& node) {
  const bool is_leaf = node.n_children == 0;
  if (is_leaf) leaves_.erase({node.worth, key});
  node.worth = time_ + 1 + static_cast<double>(node.depth) * cost_growth_;
  if (is_leaf) leaves_.insert({node.worth, key});
}

void PrefixCache::insert(const PrefixKey& key, const PrefixKey& parent, PageTokens tokens, size_t depth,
                         const KvPage& page) {
  if (depth > 0) {
    Node& before = nodes_.at(parent);
    if (before.n_children++ == 0) leaves_.erase({before.worth, parent});
  }
  time_ += 1 / static_cast<double>(n_most_);
  Node node{.parent = parent, .tokens = {}, .page = page, .depth = depth};
  std::ranges::copy(tokens, node.tokens.begin());
  use(key, nodes_.emplace(key, std::move(node)).first->second);
}

std::vector<KvPage> PrefixCache::find(std::span<const TokenId> tokens) {
  std::vector<KvPage> pages;
  PrefixKey parent = model_;
  for (size_t idx = 0; idx < tokens.size() / kPage; ++idx) {
    const PageTokens page_tokens = page_of(tokens, idx);
    const PrefixKey key = parent.then(page_tokens);
    Node* node = nullptr;
    const Lookup lookup = look_up(key, parent, page_tokens, node);
    if (lookup == Lookup::other) break;
    if (lookup == Lookup::found) {
      use(key, *node);
      pages.push_back(node->page);
    } else {
      if (!store_ || !store_->may_have(key) || !make_room(1)) break;
      const KvPage page = kv_cache_.take();
      if (!store_->load({key, parent, page_tokens, idx}, {page.data(), kv_cache_.shape().page_bytes()})) break;
      insert(key, parent, page_tokens, idx, page);
      pages.push_back(page);
    }
    parent = key;
  }
  return pages;
}

void PrefixCache::add(KvSequence& kv, std::span<const TokenId> tokens) {
  OGAS_CHECK(tokens.size() <= kv.n_positions(), "{} tokens of {}", tokens.size(), kv.n_positions());
  PrefixKey parent = model_;
  for (size_t idx = 0; idx < tokens.size() / kPage; ++idx) {
    const PageTokens page_tokens = page_of(tokens, idx);
    const PrefixKey key = parent.then(page_tokens);
    Node* node = nullptr;
    switch (look_up(key, parent, page_tokens, node)) {
      case Lookup::other: return;
      case Lookup::found: kv.use_page(idx, node->page); break;
      case Lookup::absent: insert(key, parent, page_tokens, idx, kv.page(idx)); break;
    }
    parent = key;
  }
}

void PrefixCache::save(const KvSequence& kv, std::span<const TokenId> tokens) {
  if (!store_) return;
  PrefixKey parent = model_;
  for (size_t idx = 0; idx < tokens.size() / kPage; ++idx) {
    const PrefixKey key = parent.then(page_of(tokens, idx));
    store_->save({key, parent, page_of(tokens, idx), idx}, kv.page(idx));
    parent = key;
  }
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

bool PrefixCache::make_room(size_t n_pages) {
  if (store_) store_->collect();
  while (kv_cache_.n_free() < n_pages)
    if (!drop_one()) {
      if (!store_ || store_->n_pending() == 0) return false;
      store_->flush();  // what it still had to write is held no longer
    }
  return true;
}

size_t PrefixCache::n_reclaimable() const {
  return static_cast<size_t>(
      std::ranges::count_if(nodes_, [](const auto& entry) { return !entry.second.page.is_shared(); }));
}

void PrefixCache::flush() {
  if (store_) store_->flush();
}

}  // namespace ogas
