#include "grammar/engine.h"

namespace ogas::grammar {

void Engine::set_parser(Automaton& automaton, ItemSource& source, ItemId root) {
  pushdown_ = std::make_unique<Pushdown>(automaton, source);
  root_ = root;
}

MaskBuilder& Engine::masks(const std::shared_ptr<const TokenTrie>& trie) {
  for (const auto& each : masks_)
    if (&each->trie() == trie.get()) return *each;
  masks_.push_back(std::make_unique<MaskBuilder>(*pushdown_, trie));
  return *masks_.back();
}

size_t Engine::footprint() const {
  size_t sum = pushdown_->footprint();
  for (const auto& each : masks_) sum += each->footprint();
  return sum;
}

}  // namespace ogas::grammar
