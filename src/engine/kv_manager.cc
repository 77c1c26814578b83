#include "engine/kv_manager.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/memory.h"

namespace ogas {

KvManager::KvManager(const KvLayout& layout, uint64_t budget, bool reuses_generated)
    : budget_(budget), reuses_generated_(reuses_generated), cache_(layout, budget) {}

void KvManager::enable_prefix_cache(const PrefixKey& model, double cost_growth, std::unique_ptr<PrefixStore> store) {
  prefixes_ = std::make_unique<PrefixCache>(cache_, model, cost_growth, std::move(store));
}

Result<> KvManager::reserve(uint64_t n_bytes) {
  if (n_bytes <= cache_.bytes_free() || (prefixes_ && prefixes_->reserve(n_bytes))) return {};
  return fail(ErrorCode::out_of_memory, "keys and values take {} more; of the budget of {}, {} is free",
              format_bytes(n_bytes), format_bytes(budget_), format_bytes(cache_.bytes_free()));
}

size_t KvManager::n_cacheable(const Session& session) const {
  return reuses_generated_ ? session.tokens.size() : session.n_prompt_tokens;
}

size_t KvManager::match_prefix(Session& session, std::span<const TokenId> tokens) {
  constexpr size_t kPage = KvLayout::kPagePositions;
  if (!prefixes_ || n_cacheable(session) < session.tokens.size()) return 0;
  const PrefixMatch match = prefixes_->find(tokens);
  if (match.n_positions > session.tokens.size()) {
    const size_t n_kept = match.snapshot ? 0 : session.tokens.size() / kPage;  // pages
    session.truncate(n_kept * kPage);
    session.add_pages(std::span(match.pages).subspan(n_kept), match.snapshot ? &*match.snapshot : nullptr,
                      tokens.first(match.n_positions).subspan(n_kept * kPage));
    session.n_in_prefix_cache = session.tokens.size() / kPage * kPage;
  }
  return match.n_known * kPage;
}

void KvManager::insert_prefix(Session& session, size_t n_tokens) {
  const size_t n = std::min(n_tokens, n_cacheable(session)) / KvLayout::kPagePositions * KvLayout::kPagePositions;
  if (!prefixes_ || n <= session.n_in_prefix_cache) return;
  prefixes_->add(session.kv, std::span(session.tokens).first(n));
  session.n_in_prefix_cache = n;
}

void KvManager::insert_snapshot(const Session& session, size_t position) {
  if (prefixes_) prefixes_->add_snapshot(session.kv, std::span(session.tokens).first(n_cacheable(session)), position);
}

void KvManager::insert_last_snapshot(const Session& session) {
  const bool is_recurrent = layout().n_states() > 0;
  insert_snapshot(session, is_recurrent ? session.kv.snapshot_position() : session.n_in_prefix_cache);
}

void KvManager::insert_end(const Session& session) {
  if (prefixes_ && session.tokens.size() <= n_cacheable(session)) prefixes_->add_end(session.kv, session.tokens);
}

void KvManager::save_prefix(Session& session, size_t n_tokens) {
  if (prefixes_) prefixes_->save(session.kv, std::span(session.tokens).first(std::min(n_tokens, n_cacheable(session))));
}

void KvManager::flush_prefixes() {
  if (prefixes_) prefixes_->flush();
}

}  // namespace ogas
