// Pages of keys and values by the tokens they were computed from, so that a request goes on where another began alike:
// a tree of pages, each named by all tokens up to its end (prefix_key.h).
//
// Pages stay as long as there is room for them. What is dropped first is what was not used for long and is quick to
// compute again, from the end of a prefix: a page is worth the time of its last use and what it costs to compute, where
// time goes by one as all pages are filled anew, and the first page of a prefix costs one. Pages that a sequence still
// shares are not dropped: that would free nothing. With a store, what is not in memory is looked for on disk.
//
// Not for models with recurrent layers, whose state a page does not hold.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/prefix_key.h"
#include "engine/prefix_store.h"
#include "nn/kv_cache.h"

namespace ogas {

class PrefixCache {
 public:
  // cost_growth: by how much a page costs more than the one before it, as a share of what the first costs. The store,
  // null for none, is of the same model. The KvCache must outlive this.
  PrefixCache(KvCache& kv_cache, const PrefixKey& model, double cost_growth, std::unique_ptr<PrefixStore> store);
  ~PrefixCache();

  // The pages that hold the beginning of these tokens, as far as they are known.
  std::vector<KvPage> find(std::span<const TokenId> tokens);
  // Remembers all whole pages of these tokens, which the sequence holds. Of those that were computed twice the sequence
  // gives up its own.
  void add(KvSequence& kv, std::span<const TokenId> tokens);
  // Also puts them into the store, in the background.
  void save(const KvSequence& kv, std::span<const TokenId> tokens);

  // Drops pages until so many are free. False where there are not so many to drop.
  bool reserve_pages(size_t n_pages);
  // Pages that nobody else shares, which reserve_pages() could drop. What the store has written it shares no longer.
  size_t n_reclaimable();
  // Waits until all is in the store.
  void flush();
  // The store's; null where there is none.
  const PrefixStore* store() const { return store_.get(); }

 private:
  struct Node {
    PrefixKey parent;
    std::array<TokenId, KvLayout::kPagePositions> tokens;
    KvPage page;
    size_t depth;  // pages before it
    size_t n_children = 0;
    double worth = 0;
  };
  using Nodes = std::unordered_map<PrefixKey, Node, PrefixKeyHash>;

  enum class Lookup { found, absent, other };  // other: tokens that only hash alike
  Lookup look_up(const PrefixPage& page, Node*& node);
  void insert(const PrefixPage& page, const KvPage& share);
  void use(const PrefixKey& key, Node& node);
  bool drop_one();

  KvCache& kv_cache_;
  PrefixKey model_;
  double cost_growth_;
  size_t n_max_;  // pages there are
  std::unique_ptr<PrefixStore> store_;
  Nodes nodes_;
  std::set<std::pair<double, PrefixKey>> leaves_;  // by worth
  double time_ = 0;
};

}  // namespace ogas
