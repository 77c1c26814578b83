#include "grammar/decimal_multiple.h"

namespace ogas::grammar {
namespace {

// Phases; from kFraction on, the number of digits after the point is added, up to q.
enum Phase : uint32_t { kStart, kSign, kZero, kWhole, kPoint, kFraction };

uint64_t power_of_ten(uint32_t exponent, uint64_t modulus) {
  uint64_t power = 1 % modulus;
  for (uint32_t idx = 0; idx < exponent; ++idx) power = power * 10 % modulus;
  return power;
}

class MultipleState {
 public:
  MultipleState(Regexes& regexes, const Node& node)
      : regexes_(regexes), index_(node.a), phase_(node.b), remainder_(node.c), divisor_(regexes.divisor_of(node)) {}

  NodeId after(uint8_t byte) const {
    if (byte == '-') return phase_ == kStart ? make(kSign, 0) : kNothing;
    if (byte == '.') return phase_ == kZero || phase_ == kWhole ? make(kPoint, remainder_) : kNothing;
    if (byte < '0' || byte > '9') return kNothing;
    const uint32_t digit = byte - '0';
    if (phase_ == kStart || phase_ == kSign) return make(digit == 0 ? kZero : kWhole, digit % divisor_.p);
    if (phase_ == kZero) return kNothing;
    if (phase_ == kWhole) return make(kWhole, append(digit));
    const uint32_t n_digits = phase_ == kPoint ? 0 : phase_ - kFraction;
    if (n_digits < divisor_.q) return make(kFraction + n_digits + 1, append(digit));
    return digit == 0 ? make(kFraction + n_digits, remainder_) : kNothing;
  }

 private:
  uint32_t append(uint32_t digit) const {
    return static_cast<uint32_t>((uint64_t{remainder_} * 10 + digit) % divisor_.p);
  }

  // The remainder once the digits that are missing up to q are zeros.
  uint64_t scaled(uint32_t remainder, uint32_t n_missing) const {
    return remainder * power_of_ten(n_missing, divisor_.p) % divisor_.p;
  }
  // Whether some digits after the point make it a multiple.
  bool can_end(uint32_t remainder, uint32_t n_missing) const {
    const uint64_t rest = (divisor_.p - scaled(remainder, n_missing)) % divisor_.p;
    uint64_t limit = 1;  // 10^n_missing, or more than p
    for (uint32_t idx = 0; idx < n_missing && limit <= divisor_.p; ++idx) limit *= 10;
    return rest < limit;
  }

  NodeId make(uint32_t phase, uint32_t remainder) const {
    const uint32_t n_missing = phase < kFraction ? divisor_.q : divisor_.q - (phase - kFraction);
    if (phase >= kPoint && !can_end(remainder, n_missing)) return kNothing;
    if (phase == kZero) remainder = 0;
    const bool is_whole = phase == kZero || phase == kWhole || phase >= kFraction;
    return regexes_.multiple(index_, phase, remainder, is_whole && scaled(remainder, n_missing) == 0);
  }

  Regexes& regexes_;
  uint32_t index_, phase_, remainder_;
  Divisor divisor_;
};

}  // namespace

NodeId multiples_of(Regexes& regexes, const Divisor& divisor) {
  return regexes.multiple(regexes.divisor(divisor), kStart, 0, false);
}

NodeId derive_multiple(Regexes& regexes, const Node& node, uint8_t byte) {
  return MultipleState(regexes, node).after(byte);
}

ByteSet bytes_of_multiple() { return ByteSet::range('0', '9') | ByteSet::of({'-', '.'}); }

}  // namespace ogas::grammar
