// Which tokens may come next: the tokens whose bytes the parser takes.
//
// For a lexeme, the tokens that stay within it are found once and kept (they do not depend on the stack), with the
// nodes where a token goes beyond its end; from there only those tokens are followed.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "grammar/pushdown.h"
#include "grammar/token_trie.h"

namespace ogas::grammar {

class MaskBuilder {
 public:
  MaskBuilder(Pushdown& pushdown, std::shared_ptr<const TokenTrie> trie);

  // Sets the bits of the tokens that may come next, and clears all others.
  void build(const ParserState& state, std::span<uint32_t> bits);
  const TokenTrie& trie() const { return *trie_; }
  size_t footprint() const { return footprint_; }

 private:
  // A token may go beyond the lexeme's end at this node.
  struct Crossing {
    const Trie* trie;
    uint32_t node;
    NodeId lexeme;  // which may end there
  };
  // Tokens within a lexeme.
  struct LexemeMask {
    std::vector<uint32_t> bits;  // or, where there are few,
    std::vector<TokenId> tokens;
    std::vector<Crossing> crossings;
  };

  void add(const Configuration& configuration, std::span<uint32_t> bits);
  void follow(const std::vector<Crossing>& crossings, StackId stack, std::span<uint32_t> bits);
  const LexemeMask& lexeme_mask(NodeId lexeme);
  size_t compute(NodeId lexeme, LexemeMask& mask);
  std::optional<NodeId> free_state_after(NodeId lexeme);
  size_t remove_tokens(const Trie& trie, NodeId lexeme, NodeId free, LexemeMask& mask);
  // Walks the nodes from begin to end, which are the children of one node, or the roots.
  template <class Take>
  size_t walk(const Trie& trie, uint32_t begin, uint32_t end, NodeId lexeme, std::vector<Crossing>& crossings,
              const Take& take);

  Pushdown& pushdown_;
  Automaton& automaton_;
  std::shared_ptr<const TokenTrie> trie_;
  std::unordered_map<NodeId, LexemeMask> kept_;
  std::unordered_map<NodeId, bool> is_free_;
  LexemeMask scratch_;
  std::vector<const Transitions*> path_;  // of a walk: transitions of the states so far
  size_t footprint_ = 0;
};

}  // namespace ogas::grammar
