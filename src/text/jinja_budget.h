// What one rendering may cost. Everything that loops or allocates on a template's behalf counts here.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>

namespace ogas::jinja {

// Ends a rendering or a parse; caught in chat_template.cc and never seen beyond it. Line 0 is filled in by whoever
// knows.
struct Failure {
  std::string message;
  size_t line = 0;
};

// Far above what chat templates need for long conversations; a hostile template meets them in well under 100 ms and
// 64 MiB.
struct Limits {
  size_t n_steps = 300'000;           // expressions and statements evaluated, elements compared
  size_t n_bytes = size_t{24} << 20;  // of all strings and lists made along the way, the output included
  int depth = 250;                    // calls, blocks and expressions within each other
};

class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}

  // Throw Failure past the limit.
  void step(size_t n = 1) {
    n_steps_ += n;
    if (n_steps_ > limits_.n_steps)
      throw Failure{fmt::format("the template takes more than {} steps", limits_.n_steps)};
  }
  // Bytes that are about to be made.
  void spend(size_t n_bytes) {
    if (n_bytes > limits_.n_bytes - n_bytes_)
      throw Failure{fmt::format("the template makes more than {} bytes of text and lists", limits_.n_bytes)};
    n_bytes_ += n_bytes;
  }
  // count things of unit bytes each.
  void spend(size_t count, size_t unit) {
    if (unit > 0 && count > limits_.n_bytes / unit) spend(limits_.n_bytes + 1);
    spend(count * unit);
  }

  const Limits& limits() const { return limits_; }
  size_t n_steps() const { return n_steps_; }
  size_t n_bytes() const { return n_bytes_; }

 protected:
  Limits limits_;

 private:
  size_t n_steps_ = 0;
  size_t n_bytes_ = 0;
};

}  // namespace ogas::jinja
