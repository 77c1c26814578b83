#include "grammar/shape_progress.h"

#include <algorithm>
#include <set>

#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

constexpr size_t kMaxSearchSteps = 20'000;

uint32_t all_demands(const ObjectShape& shape) {
  return static_cast<uint32_t>((uint64_t{1} << shape.demands.size()) - 1);
}

size_t capacity_left(const ObjectShape& shape, const ObjectProgress& progress, size_t index) {
  const size_t used = index < progress.used.size() ? progress.used[index] : 0;
  const size_t capacity = shape.classes[index].capacity;
  if (capacity >= kMaxCapacity) return kMaxCapacity;  // as good as any number
  return capacity > used ? capacity - used : 0;
}

// Looks for keys that meet all demands, the fewest possible.
class DemandSearch {
 public:
  DemandSearch(const ObjectShape& shape, const ObjectProgress& progress, IsSatisfiable is_satisfiable)
      : shape_(shape), progress_(progress), is_satisfiable_(is_satisfiable) {
    for (size_t idx = 0; idx < shape.names.size(); ++idx) {
      if (progress.has_seen(idx)) continue;
      (shape.names[idx].is_required ? required_ : optional_).push_back(idx);
    }
    for (size_t idx = 0; idx < shape.classes.size(); ++idx) left_.push_back(capacity_left(shape, progress, idx));
  }

  // How many keys must follow; kUnbounded if nothing helps.
  uint32_t fewest() {
    best_ = kUnbounded;
    choose_required(0, all_demands(shape_) & ~progress_.demands_met);
    return best_;
  }

 private:
  void choose_required(size_t index, uint32_t pending) {
    count_step();
    if (index == required_.size()) return cover(pending, static_cast<uint32_t>(required_.size()));
    for (const ValueOption& option : shape_.names[required_[index]].options)
      if (is_satisfiable_(option.value)) choose_required(index + 1, pending & ~option.demands);
  }

  // Covers the pending demands by optional keys.
  void cover(uint32_t pending, uint32_t n_keys) {
    count_step();
    if (n_keys >= best_) return;
    if (pending == 0) {
      best_ = n_keys;
      return;
    }
    const uint32_t lowest = pending & ~(pending - 1);
    for (size_t& name : optional_) {
      if (name == kTaken) continue;
      const size_t index = name;
      name = kTaken;
      cover_by(shape_.names[index].options, lowest, pending, n_keys);
      name = index;
    }
    for (size_t idx = 0; idx < left_.size(); ++idx) {
      if (left_[idx] == 0) continue;
      --left_[idx];
      cover_by(shape_.classes[idx].options, lowest, pending, n_keys);
      ++left_[idx];
    }
  }

  void cover_by(const std::vector<ValueOption>& options, uint32_t wanted, uint32_t pending, uint32_t n_keys) {
    for (const ValueOption& option : options)
      if ((option.demands & wanted) && is_satisfiable_(option.value)) cover(pending & ~option.demands, n_keys + 1);
  }

  void count_step() {
    if (++n_steps_ > kMaxSearchSteps) refuse("its conditions on members of an object are too complex");
  }

  static constexpr size_t kTaken = SIZE_MAX;
  const ObjectShape& shape_;
  const ObjectProgress& progress_;
  IsSatisfiable is_satisfiable_;
  std::vector<size_t> required_, optional_;
  std::vector<size_t> left_;  // capacity of each class
  uint32_t best_ = kUnbounded;
  size_t n_steps_ = 0;
};

// Keys that could still be written.
size_t n_available(const ObjectShape& shape, const ObjectProgress& progress, IsSatisfiable is_satisfiable) {
  size_t sum = 0;
  for (size_t idx = 0; idx < shape.names.size() && sum < shape.min_keys; ++idx)
    if (!progress.has_seen(idx) && has_option(shape.names[idx].options, is_satisfiable)) ++sum;
  for (size_t idx = 0; idx < shape.classes.size(); ++idx) {
    if (!has_option(shape.classes[idx].options, is_satisfiable)) continue;
    const size_t left = capacity_left(shape, progress, idx);
    if (left >= kMaxCapacity) return SIZE_MAX;
    sum += left;
  }
  return sum;
}

uint32_t capped(uint32_t count, const Demand& demand) {
  return std::min(count, demand.max == kUnbounded ? demand.min : demand.max);
}

// Breadth first over how many items there are and how many were counted for each demand.
class ItemSearch {
 public:
  ItemSearch(const ArrayShape& shape, IsSatisfiable is_satisfiable) : shape_(shape), is_satisfiable_(is_satisfiable) {}

  bool run(const ArrayProgress& start) {
    reach(start);
    while (!pending_.empty()) {
      const ArrayProgress progress = std::move(pending_.back());
      pending_.pop_back();
      if (may_end(shape_, progress)) return true;
      for (const ValueOption& option : shape_.options(progress.n_items))
        if (may_add(shape_, progress, option) && is_satisfiable_(option.value))
          reach(after_item(shape_, progress, option));
    }
    return false;
  }

 private:
  void reach(ArrayProgress progress) {
    if (!seen_.insert({progress.n_items, progress.counts}).second) return;
    if (seen_.size() > kMaxSearchSteps) refuse("its conditions on items of an array are too complex");
    pending_.push_back(std::move(progress));
  }

  const ArrayShape& shape_;
  IsSatisfiable is_satisfiable_;
  std::vector<ArrayProgress> pending_;
  std::set<std::pair<uint32_t, std::vector<uint32_t>>> seen_;
};

}  // namespace

bool has_option(const std::vector<ValueOption>& options, IsSatisfiable is_satisfiable) {
  return std::ranges::any_of(options, [&](const ValueOption& option) { return is_satisfiable(option.value); });
}

bool may_end(const ObjectShape& shape, const ObjectProgress& progress) {
  if (progress.demands_met != all_demands(shape) || progress.n_keys < shape.min_keys) return false;
  for (size_t idx = 0; idx < shape.names.size(); ++idx)
    if (shape.names[idx].is_required && !progress.has_seen(idx)) return false;
  return true;
}

bool can_complete(const ObjectShape& shape, const ObjectProgress& progress, IsSatisfiable is_satisfiable) {
  if (!shape.demands.empty() && progress.demands_met != all_demands(shape)) {
    const uint32_t n_more = DemandSearch(shape, progress, is_satisfiable).fewest();
    if (n_more == kUnbounded) return false;
    if (shape.max_keys != kUnbounded && progress.n_keys + n_more > shape.max_keys) return false;
  } else {
    uint32_t n_required = 0;
    for (size_t idx = 0; idx < shape.names.size(); ++idx) {
      if (!shape.names[idx].is_required || progress.has_seen(idx)) continue;
      if (!has_option(shape.names[idx].options, is_satisfiable)) return false;
      ++n_required;
    }
    if (shape.max_keys != kUnbounded && progress.n_keys + n_required > shape.max_keys) return false;
  }
  if (shape.min_keys > shape.max_keys) return false;
  if (progress.n_keys >= shape.min_keys) return true;
  return n_available(shape, progress, is_satisfiable) >= shape.min_keys - progress.n_keys;
}

static void count_key(const ObjectShape& shape, ObjectProgress& progress, const ValueOption& option) {
  progress.demands_met |= option.demands;
  if (!shape.has_counts()) return;
  // Without a maximum, more than the minimum is as good as the minimum.
  const uint32_t cap = shape.max_keys == kUnbounded ? shape.min_keys : kUnbounded;
  progress.n_keys = std::min(progress.n_keys + 1, cap);
}

ObjectProgress after_name(const ObjectShape& shape, ObjectProgress progress, size_t name, const ValueOption& option) {
  progress.see(name);
  count_key(shape, progress, option);
  return progress;
}

ObjectProgress after_class(const ObjectShape& shape, ObjectProgress progress, size_t index, const ValueOption& option) {
  if (shape.classes[index].capacity < kMaxCapacity) {
    progress.used.resize(shape.classes.size());
    ++progress.used[index];
  }
  count_key(shape, progress, option);
  return progress;
}

bool may_end(const ArrayShape& shape, const ArrayProgress& progress) {
  if (progress.n_items < shape.min_items) return false;
  for (size_t idx = 0; idx < shape.demands.size(); ++idx)
    if (progress.counts[idx] < shape.demands[idx].min) return false;
  return true;
}

bool may_add(const ArrayShape& shape, const ArrayProgress& progress, const ValueOption& option) {
  if (progress.n_items >= shape.max_items) return false;
  for (size_t idx = 0; idx < shape.demands.size(); ++idx)
    if (((option.demands >> idx) & 1) && progress.counts[idx] >= shape.demands[idx].max) return false;
  return true;
}

ArrayProgress after_item(const ArrayShape& shape, ArrayProgress progress, const ValueOption& option) {
  // Further items are all alike unless there is a maximum to count for.
  const uint32_t cap = std::max(static_cast<uint32_t>(shape.items.size() - 1), shape.min_items);
  if (shape.max_items != kUnbounded || progress.n_items < cap) ++progress.n_items;
  for (size_t idx = 0; idx < shape.demands.size(); ++idx)
    if ((option.demands >> idx) & 1) progress.counts[idx] = capped(progress.counts[idx] + 1, shape.demands[idx]);
  return progress;
}

bool can_complete(const ArrayShape& shape, const ArrayProgress& progress, IsSatisfiable is_satisfiable) {
  if (shape.min_items > shape.max_items) return false;
  if (!shape.demands.empty()) return ItemSearch(shape, is_satisfiable).run(progress);
  for (uint32_t idx = progress.n_items; idx < shape.min_items; ++idx) {
    if (!has_option(shape.options(idx), is_satisfiable)) return false;
    if (idx + 1 >= shape.items.size()) break;  // the others are alike
  }
  return true;
}

}  // namespace ogas::grammar
