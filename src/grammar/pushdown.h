// A parser over lexemes, one byte at a time: an automaton of expressions (automaton.h) with a stack.
//
// What is to be written is a stack of items. An item expands into lexemes, expressions that end with a tag, and into
// sequences of other items; a tag says which items follow. Where a text can be read in several ways, all of them are
// followed: stacks that share their lower parts share them in memory, and stacks under the same lexeme become one.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/automaton.h"

namespace ogas::grammar {

using ItemId = uint32_t;
using StackId = uint32_t;

struct ItemExpansion {
  std::vector<NodeId> lexemes = {};
  std::vector<std::vector<ItemId>> sequences = {};  // an empty one: nothing needs to be written
};

// What items are; the grammar proper.
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  // By value: computing one may add others.
  virtual ItemExpansion expand(ItemId item) = 0;
  // What follows a lexeme of the item that ended with the tag. written: all that was written, where it is known; a
  // lookahead (a mask) does not know it, and then what follows allows no more than it would.
  virtual std::vector<ItemId> follow(Tag tag, ItemId item, std::optional<std::string_view> written) = 0;
};

struct Configuration {
  NodeId lexeme;  // what is left of it
  StackId stack;  // on top the item that it is of
  bool operator==(const Configuration&) const = default;
};

struct ParserState {
  std::vector<Configuration> configurations;
  bool is_complete = false;  // the text may end here
};

class Pushdown {
 public:
  Pushdown(Automaton& automaton, ItemSource& source) : automaton_(automaton), source_(source) {
    stacks_.push_back({{kBottom, 0}});
  }

  ParserState start(ItemId root);
  // The state after a byte; without configurations, and not complete, if it may not come next. written: all bytes, the
  // last one included.
  ParserState advance(const ParserState& state, uint8_t byte, std::string_view written);
  // What may follow where a lexeme may end, as a lookahead knows it.
  const ParserState& after_lexeme(NodeId lexeme, StackId stack);
  // Whether anything of the lexeme itself can follow.
  bool can_continue(NodeId lexeme) const;

  Automaton& automaton() { return automaton_; }
  size_t footprint() const;

 private:
  static constexpr ItemId kBottom = UINT32_MAX;
  struct StackEntry {
    ItemId item;
    StackId below;
    auto operator<=>(const StackEntry&) const = default;
  };
  using Stack = std::vector<StackEntry>;  // alternatives for what is on top, in order
  struct StackHash {
    size_t operator()(const Stack& stack) const;
  };
  class Closure;
  friend class Closure;

  StackId intern(Stack stack);
  StackId push(ItemId item, StackId below) { return intern({{item, below}}); }
  StackId merge(StackId left, StackId right);

  Automaton& automaton_;
  ItemSource& source_;
  std::vector<Stack> stacks_;
  std::unordered_map<Stack, StackId, StackHash> known_;
  std::unordered_map<uint64_t, StackId> merged_;
  std::unordered_map<uint64_t, ParserState> closures_;
};

}  // namespace ogas::grammar
