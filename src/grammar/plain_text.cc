#include "grammar/plain_text.h"

#include <algorithm>
#include <span>
#include <vector>

namespace ogas::grammar {
namespace {

struct ByteRange {
  uint8_t first, last;
};
// Sequences of ranges of bytes that are one character (Unicode 15, table 3-7), but for ASCII.
constexpr ByteRange kTwo[] = {{0xC2, 0xDF}, {0x80, 0xBF}};
constexpr ByteRange kThreeE0[] = {{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}};
constexpr ByteRange kThreeLow[] = {{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}};
constexpr ByteRange kThreeEd[] = {{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}};
constexpr ByteRange kThreeHigh[] = {{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}};
constexpr ByteRange kFourF0[] = {{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}};
constexpr ByteRange kFourLow[] = {{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}};
constexpr ByteRange kFourF4[] = {{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}};

// States after one more character, starting from several.
class CharacterStep {
 public:
  explicit CharacterStep(Automaton& automaton) : automaton_(automaton) {}

  std::vector<NodeId> run(const std::vector<NodeId>& states) {
    next_.clear();
    all_live_ = true;
    any_live_ = false;
    for (const NodeId state : states) {
      const Transitions& row = automaton_.transitions(state);
      for (unsigned byte = 0x20; byte < 0x80 && next_.size() < kMaxStates; ++byte)
        if (byte != '"' && byte != '\\') reach(row[byte]);
      // Most states that stop at a letter need no further look.
      if (!all_live_ && any_live_) break;
      for (const std::span<const ByteRange> sequence :
           {std::span<const ByteRange>(kTwo), std::span<const ByteRange>(kThreeE0),
            std::span<const ByteRange>(kThreeLow), std::span<const ByteRange>(kThreeEd),
            std::span<const ByteRange>(kThreeHigh), std::span<const ByteRange>(kFourF0),
            std::span<const ByteRange>(kFourLow), std::span<const ByteRange>(kFourF4)})
        follow(state, sequence);
    }
    return std::move(next_);
  }
  bool all_live() const { return all_live_ && next_size_ok_; }
  bool any_live() const { return any_live_; }
  static constexpr size_t kMaxStates = 12;
  void check_size(size_t size) { next_size_ok_ = size < kMaxStates; }

 private:
  void reach(uint32_t next) {
    if (next == kNothing) {
      all_live_ = false;
      return;
    }
    any_live_ = true;
    const NodeId state = next & ~kAccepting;
    if (std::ranges::find(next_, state) == next_.end()) next_.push_back(state);
  }

  void follow(NodeId state, std::span<const ByteRange> sequence) {
    const Transitions& row = automaton_.transitions(state);
    std::vector<NodeId> seen;
    for (unsigned byte = sequence[0].first; byte <= sequence[0].last; ++byte) {
      if (sequence.size() == 1) {
        reach(row[byte]);
        continue;
      }
      const NodeId next = row[byte] & ~kAccepting;
      if (next == kNothing) {
        all_live_ = false;
      } else if (std::ranges::find(seen, next) == seen.end()) {
        seen.push_back(next);
        follow(next, sequence.subspan(1));
      }
    }
  }

  Automaton& automaton_;
  std::vector<NodeId> next_;
  bool all_live_ = true, any_live_ = false, next_size_ok_ = true;
};

}  // namespace

PlainText plain_text_after(Automaton& automaton, NodeId lexeme, uint32_t max) {
  std::vector<NodeId> states = {lexeme}, reached = {lexeme};
  CharacterStep step(automaton);
  for (uint32_t n_characters = 0; n_characters < max; ++n_characters) {
    states = step.run(states);
    step.check_size(states.size());
    if (!step.all_live()) return {.n_characters = n_characters, .ends_there = !step.any_live()};
    const size_t n_before = reached.size();
    for (const NodeId state : states)
      if (std::ranges::find(reached, state) == reached.end()) reached.push_back(state);
    // Nothing new: what follows any number of characters is known.
    if (reached.size() == n_before) return {.n_characters = kUnbounded};
  }
  return {.n_characters = max};
}

}  // namespace ogas::grammar
