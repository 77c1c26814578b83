// Which experts of a layer stay in memory, where not all of them fit: those that tokens took most often recently.
//
// A count that ages keeps what is popular (LFU with aging, as in Robinson & Devarakonda 1990) and forgets what was. It
// suits what models do: some experts are taken by many tokens of any text, others by those of one subject.
// How fast to forget depends on model, layer and text. So experts are counted with three half-lives, and the counts
// decide whose top experts have been taken most often recently (of several policies the best so far, as in Gramacy et
// al. 2002).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ogas {

class ExpertCache {
 public:
  // n_slots: experts that can be in memory, at most n_expert. half_life: tokens after which a use counts half, until
  // it turns out that a fourth or four times of it does better.
  ExpertCache(uint32_t n_expert, uint32_t n_slots, double half_life);
  // As many as use each expert four times, on average (bench/expert_cache_bench.cc).
  static double half_life(size_t n_expert, size_t n_used) {
    return 4.0 * static_cast<double>(n_expert) / static_cast<double>(n_used);
  }

  struct Use {
    uint32_t expert, n_tokens;  // that take it
  };
  // n_tokens went through the layer, and took these.
  void count(std::span<const Use> uses, uint32_t n_tokens);

  // Where it is in memory.
  std::optional<uint32_t> slot_of(uint32_t expert) const;
  // Gives a slot to one that is not in memory: a free one, or that of an expert which counts less, the least of those
  // not held. None: it counts less than all of them.
  std::optional<uint32_t> admit(uint32_t expert);

  struct Move {
    uint32_t expert, from, to;  // slots
  };
  // From here on there are n_slots, at most n_expert. Where they are fewer, those that count most stay, and of these
  // some move, each to a free slot.
  std::vector<Move> resize(uint32_t n_slots);

  // One that is held keeps its slot.
  void hold(uint32_t expert) { is_held_[expert] = true; }
  void release_all() { is_held_.assign(is_held_.size(), false); }

  uint32_t n_slots() const { return n_slots_; }
  // For comparisons alone.
  double count_of(uint32_t expert) const { return windows_[best_].counts[expert]; }
  // Counts by the half-life given, aged to now [n_expert], and counts of an earlier run to continue from.
  std::vector<float> counts() const;
  void set_counts(std::span<const float> counts);
  // The n_slots experts that count most, best first.
  std::vector<uint32_t> top_experts() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Window {
    double half_life;
    double unit = 1;             // what one use counts now; grows, which is cheaper than to age all counts
    std::vector<double> counts;  // [n_expert]
    double n_right = 0;          // recent uses of its top experts
  };
  static constexpr size_t kNominal = 1;  // of windows_, that with the half-life given

  bool is_in_top(const Window& window, uint32_t expert) const;
  void choose_window(std::span<const Use> uses);

  uint32_t n_slots_;
  std::array<Window, 3> windows_;
  size_t best_ = kNominal;           // of windows_
  double retention_;                 // of n_right, from one pass to the next
  std::vector<uint32_t> slot_;       // [n_expert] or kNone
  std::vector<uint32_t> expert_in_;  // [n_slots] or kNone
  std::vector<bool> is_held_;        // [n_expert]
};

}  // namespace ogas
