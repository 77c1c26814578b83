// What one rendering may cost. Everything that loops or allocates on a template's behalf counts here.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace ogas::jinja {

// Ends a rendering or a parse. chat_template.cc catches it, and nothing above sees it. A line of 0 is filled in later,
// by a caller that knows the line.
struct Failure {
  std::string message;
  size_t line = 0;
};

// Far above what chat templates need for long conversations; a hostile template meets them in well under 100 ms and
// 64 MiB.
struct Limits {
  size_t n_steps = 300'000;           // expressions and statements evaluated, elements compared, KiB made
  size_t n_bytes = size_t{24} << 20;  // of the strings and lists that exist at one time, the output included
  int depth = 250;                    // calls, blocks and expressions within each other
};

// The bytes of one rendering that exist now: those that values hold until they die, and those made for the statements
// that run, which count until their statement ends: whatever outlives it is in a value by then.
class Memory {
 public:
  explicit Memory(size_t limit) : limit_(limit) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Throw Failure past the limit.
  void make(size_t n) {
    if (n > limit_ - std::min(limit_, held_ + made_)) fail();
    made_ += n;
    peak_ = std::max(peak_, held_ + made_);
  }
  // What a value holds was made for this statement before, as a rule.
  void hold(size_t n) {
    const size_t n_moved = std::min(n, made_ - made_before_);
    if (n - n_moved > limit_ - std::min(limit_, held_ + made_)) fail();
    made_ -= n_moved;
    held_ += n;
    peak_ = std::max(peak_, held_ + made_);
  }
  void release(size_t n) { held_ -= n; }
  // Never fails: what comes next does, if this is too much.
  void keep(size_t n) { held_ += n; }

  size_t peak() const { return peak_; }

  // Counts for values made in this thread; null outside of renderings (the parser's values and the input count
  // nowhere).
  static Memory*& current() {
    thread_local Memory* memory = nullptr;
    return memory;
  }

  // While one lives, its Memory is the thread's.
  class Use {
   public:
    explicit Use(Memory& memory) : before_(std::exchange(current(), &memory)) {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { current() = before_; }

   private:
    Memory* before_;
  };
  // A statement, or any other step of which only values remain.
  class Statement {
   public:
    explicit Statement(Memory& memory)
        : memory_(memory), made_(memory.made_), made_before_(std::exchange(memory.made_before_, memory.made_)) {}
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement() {
      memory_.made_ = made_;
      memory_.made_before_ = made_before_;
    }

   private:
    Memory& memory_;
    size_t made_, made_before_;
  };

 private:
  [[noreturn]] void fail() const {
    throw Failure{fmt::format("the template holds more than {} bytes of text and lists", limit_)};
  }

  size_t limit_;
  size_t held_ = 0;
  size_t made_ = 0;         // for all statements that run
  size_t made_before_ = 0;  // the innermost began
  size_t peak_ = 0;
};

// Bytes that something holds as long as it lives.
class Held {
 public:
  Held() = default;
  explicit Held(size_t n) { resize(n); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { resize(0); }

  void resize(size_t n) {
    if (!memory_) memory_ = Memory::current();
    if (!memory_) return;
    if (n > n_)
      memory_->hold(n - n_);
    else
      memory_->release(n_ - n);
    n_ = n;
  }

 private:
  Memory* memory_ = nullptr;
  size_t n_ = 0;
};

class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits), memory_(limits.n_bytes) {}

  // Throw Failure past the limit.
  void step(size_t n = 1) {
    n_steps_ += n;
    if (n_steps_ > limits_.n_steps)
      throw Failure{fmt::format("the template takes more than {} steps", limits_.n_steps)};
  }
  // Bytes that are about to be made. They take time, too: a step for every KiB.
  void spend(size_t n_bytes) {
    memory_.make(n_bytes);
    n_spent_ += n_bytes;
    step(n_spent_ >> 10);
    n_spent_ &= 1023;
  }
  // count things of unit bytes each.
  void spend(size_t count, size_t unit) {
    if (unit > 0 && count > limits_.n_bytes / unit) spend(limits_.n_bytes + 1);
    spend(count * unit);
  }

  Memory& memory() { return memory_; }
  const Limits& limits() const { return limits_; }
  size_t n_steps() const { return n_steps_; }
  size_t n_bytes() const { return memory_.peak(); }  // the most that existed at one time

 protected:
  Limits limits_;

 private:
  Memory memory_;
  size_t n_steps_ = 0;
  size_t n_spent_ = 0;  // not yet a step
};

}  // namespace ogas::jinja
