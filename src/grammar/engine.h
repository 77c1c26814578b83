// A grammar at work: its automaton, its parser, and the masks of tokens that were computed.
//
// Used by one thread at a time: a caller holds mutex().
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "grammar/mask_builder.h"
#include "grammar/pushdown.h"

namespace ogas::grammar {

class Engine {
 public:
  virtual ~Engine() = default;
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  std::mutex& mutex() { return mutex_; }
  Pushdown& pushdown() { return *pushdown_; }
  ItemId root() const { return root_; }
  MaskBuilder& masks(const std::shared_ptr<const TokenTrie>& trie);
  size_t footprint() const;
  // To be called before each mask, token or other operation: it may take this much work and no more.
  void begin_operation() { pushdown_->automaton().regexes().set_work_limit(kOperationWork); }

 protected:
  static constexpr size_t kMaxNodes = 1'500'000, kMaxRows = 60'000;
  static constexpr uint64_t kCompileWork = 10'000'000, kOperationWork = 2'000'000;
  void set_parser(Automaton& automaton, ItemSource& source, ItemId root);

 private:
  std::mutex mutex_;
  std::unique_ptr<Pushdown> pushdown_;
  ItemId root_ = 0;
  std::vector<std::unique_ptr<MaskBuilder>> masks_;  // one for each tokenizer
};

}  // namespace ogas::grammar
