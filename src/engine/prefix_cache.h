// Pages of the KV cache by the tokens they were computed from, so that a request continues where another began alike: a
// tree of pages, each named by all tokens up to its end (prefix_key.h).
//
// A page alone does not say what recurrent layers made of its tokens, and has no keys and values of layers with a
// window. With such layers some pages have a snapshot (KvSnapshot) of the page's end, and a request continues from the
// last of these: what follows it is computed again.
//
// Where a prompt or an answer ends, the page that is begun is cached, too, with a snapshot where one is needed (End):
// the next turn of a conversation computes its own tokens only. Ends are in memory alone, take a sixteenth of it, and
// are evicted before all else.
//
// Pages stay as long as there is space for them. Evicted first is what was not used for long and is fast to compute
// again, from the end of a prefix: a page is worth the time of its last use and what it costs to compute, where time
// advances by one as all pages are filled again, and the first page of a prefix costs one. Pages that a sequence still
// shares are not evicted: that would free nothing. A snapshot is worth what lies between it and the one before it,
// relative to the space it takes in pages. One with others after it is worth less: only a conversation whose earlier
// message changes goes back to it. With a store, what is not in memory is looked for on disk.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/prefix_key.h"
#include "engine/prefix_store.h"
#include "nn/kv_cache.h"

namespace ogas {

// What is known of some tokens.
struct PrefixMatch {
  std::vector<KvPage> pages;           // that hold the beginning of them, up to where a sequence can continue
  size_t n_positions = 0;              // of these, where the last page may be one that is begun
  std::optional<KvSnapshot> snapshot;  // of the last of them; none where KvLayout needs none
  size_t n_known = 0;                  // pages that are known, also those after the last snapshot
};

class PrefixCache {
 public:
  // cost_growth: by how much a page costs more than the one before it, as a share of what the first costs. The store,
  // null for none, is of the same model. The KvCache must outlive this.
  PrefixCache(KvCache& kv_cache, const PrefixKey& model, double cost_growth, std::unique_ptr<PrefixStore> store);
  ~PrefixCache();

  // Of the beginning of these tokens, as far as it is known.
  PrefixMatch find(std::span<const TokenId> tokens);
  // Caches all whole pages of these tokens, which the sequence holds. Of those that were computed twice the sequence
  // gives up its own.
  void add(KvSequence& kv, std::span<const TokenId> tokens);
  // Caches the sequence's snapshot of a position, if it has one and that is the end of one of these pages, once they
  // were added.
  void add_snapshot(const KvSequence& kv, std::span<const TokenId> tokens, size_t position);
  // Caches the page that is begun at the end of these tokens, which are all that the sequence holds, once their whole
  // pages were added. Nothing else is evicted for it but other ends. Where no page is begun, a snapshot is all.
  void add_end(const KvSequence& kv, std::span<const TokenId> tokens);
  // Also puts whole pages into the store, in the background: all pages, and of their snapshots the last one, those at
  // snapshot_stride() and those where other tokens followed.
  void save(const KvSequence& kv, std::span<const TokenId> tokens);
  // Positions from one regular snapshot to the next, a multiple of a page. With recurrent layers it is chosen so that
  // snapshots take about the memory that pages do. Else it is a quarter of the window, since snapshots share its pages.
  // 0 where none are needed.
  size_t snapshot_stride() const { return snapshot_stride_; }

  // Evicts pages and snapshots until these bytes are free. False where there is too little to evict.
  bool reserve(uint64_t n_bytes);
  // Bytes of pages that nobody else shares and of all snapshots, which reserve() could evict. What the store has
  // written it shares no longer.
  uint64_t bytes_evictable();
  // Bytes of pages and snapshots that nobody else shares.
  uint64_t bytes_reclaimable();
  // Waits until all is in the store.
  void flush();
  // The store's; null where there is none.
  const PrefixStore* store() const { return store_.get(); }

 private:
  struct Node {
    PrefixKey parent;
    std::array<TokenId, KvLayout::kPagePositions> tokens;
    KvPage page;
    std::optional<KvSnapshot> snapshot;  // of its end
    size_t depth;                        // pages before it
    size_t n_children = 0;
    double used = 0;  // the time of its last use
  };
  // Tokens of a page that is begun, after those of whole pages.
  struct End {
    PrefixKey parent;
    std::vector<TokenId> tokens;
    KvPage page;
    std::optional<KvSnapshot> snapshot;
    uint64_t used = 0;  // number of its last use
  };
  using Nodes = std::unordered_map<PrefixKey, Node, PrefixKeyHash>;

  enum class Lookup { found, absent, other };  // other: tokens that only hash alike
  Lookup look_up(const PrefixPage& page, Node*& node);
  // Of the last of these pages, which are all from the first on.
  std::vector<PrefixPage> known_pages(std::span<const TokenId> tokens);
  void shorten_to_snapshot(std::span<const PrefixPage> known, PrefixMatch& match);
  End* find_end(const PrefixKey& parent, std::span<const TokenId> tokens);
  bool drop_oldest_end();
  bool may_continue_after(std::span<const PrefixPage> pages) const;
  Node* get_page(const PrefixPage& page);
  const KvSnapshot* get_snapshot(std::span<const PrefixPage> pages);
  std::optional<KvSnapshot> load_snapshot(std::span<const PrefixPage> pages);
  std::span<const PrefixPage> in_windows(std::span<const PrefixPage> pages) const;
  void insert(const PrefixPage& page, const KvPage& share);
  void advance_time(uint64_t n_bytes) { time_ += static_cast<double>(n_bytes) / static_cast<double>(budget_); }
  void put_snapshot(const PrefixKey& key, Node& node, KvSnapshot snapshot);
  void save_snapshot(std::span<const PrefixPage> pages, const KvSnapshot& snapshot,
                     std::filesystem::file_time_type now);
  void use(const PrefixKey& key, Node& node);
  // Leaves are listed by their worth, but for those that have a snapshot: it goes first.
  double worth_of_page(const Node& node) const;
  void list_if_leaf(const PrefixKey& key, const Node& node);
  void unlist_if_leaf(const PrefixKey& key, const Node& node);
  const PrefixKey* worst_leaf() const;
  size_t pages_since_snapshot(const Node& node, PrefixKey& before) const;
  struct WorstSnapshot {
    const PrefixKey* key = nullptr;
    double worth = 0;
  };
  WorstSnapshot worst_snapshot(bool also_shared) const;
  void drop_page(const PrefixKey& key);
  void drop_snapshot(const PrefixKey& key);
  bool reserve_if_possible(uint64_t n_bytes);
  uint64_t bytes_of_ends_and_windows() const;
  void count_snapshots();
  bool has_states() const { return kv_cache_.layout().state_bytes() > 0; }
  bool drop_one(bool also_shared_snapshots);

  KvCache& kv_cache_;
  PrefixKey model_;
  double cost_growth_;
  uint64_t budget_;            // bytes there are
  size_t snapshot_pages_ = 0;  // that would fit in place of a snapshot; 0 where none are needed
  size_t snapshot_stride_ = 0;
  size_t saved_stride_ = 0;  // of snapshots that the store has, a multiple: there they share nothing
  std::unique_ptr<PrefixStore> store_;
  Nodes nodes_;
  std::vector<End> ends_;
  size_t max_ends_ = 0;
  uint64_t n_uses_of_ends_ = 0;
  std::set<std::pair<double, PrefixKey>> leaves_;  // by worth
  std::vector<PrefixKey> snapshots_;               // pages that have one
  double time_ = 0;
};

}  // namespace ogas
