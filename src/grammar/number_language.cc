#include "grammar/number_language.h"

#include <algorithm>
#include <string>

#include "grammar/decimal_multiple.h"
#include "grammar/refusal.h"

namespace ogas::grammar {

NumberLanguage::NumberLanguage(Regexes& regexes)
    : regexes_(regexes),
      digit_(digits('0', '9')),
      digits_(regexes.repeat(digit_, 0)),
      zeros_(regexes.repeat(regexes.byte('0'), 0)),
      minus_(regexes.byte('-')),
      point_(regexes.byte('.')),
      e_(regexes.bytes(ByteSet::of({'e', 'E'}))) {
  whole_ = regexes.alternative(regexes.byte('0'), regexes.concat(digits('1', '9'), digits_));
  fraction_ = regexes.concat({point_, digit_, digits_});
  plain_ = regexes.concat(whole_, regexes.optional(fraction_));
  const NodeId sign = regexes.optional(regexes.bytes(ByteSet::of({'+', '-'})));
  const NodeId power = regexes.concat({e_, sign, digit_, digits_});
  scientific_ = regexes.concat({digits('1', '9'), regexes.optional(fraction_), power});
  magnitude_ = regexes.alternative(plain_, scientific_);
  zero_ = regexes.concat(regexes.byte('0'), regexes.optional(regexes.concat({point_, regexes.byte('0'), zeros_})));
  any_ = regexes.concat({regexes.optional(minus_), whole_, regexes.optional(fraction_), regexes.optional(power)});
}

NodeId NumberLanguage::digits(char first, char last) {
  if (first > last) return kNothing;
  return regexes_.bytes(ByteSet::range(static_cast<uint8_t>(first), static_cast<uint8_t>(last)));
}

// What follows a whole part that equals the bound's: the fraction, with its point, or nothing.
NodeId NumberLanguage::fraction(const std::string& bound, Relation relation) {
  const bool is_greater = relation == Relation::greater || relation == Relation::greater_equal;
  std::vector<NodeId> parts;
  for (size_t idx = 0; idx < bound.size(); ++idx) {
    const NodeId same = regexes_.concat(point_, regexes_.literal(bound.substr(0, idx)));
    const auto c = static_cast<char>(bound[idx] + (is_greater ? 1 : -1));
    const NodeId other = is_greater ? digits(c, '9') : digits('0', c);
    parts.push_back(regexes_.concat({same, other, digits_}));
    if (!is_greater) parts.push_back(idx == 0 ? kEmpty : same);  // it ends early
  }
  if (is_greater)
    parts.push_back(regexes_.concat({point_, regexes_.literal(bound), digits_, digits('1', '9'), digits_}));
  if (relation == Relation::greater_equal || relation == Relation::less_equal) {
    if (bound.empty())
      parts.push_back(regexes_.optional(regexes_.concat({point_, regexes_.byte('0'), zeros_})));
    else
      parts.push_back(regexes_.concat({point_, regexes_.literal(bound), zeros_}));
  }
  return regexes_.alternative(std::move(parts));
}

// Numbers with as many digits before the point as the bound.
NodeId NumberLanguage::with_whole(const std::string& whole, const std::string& fraction, Relation relation,
                                  bool is_mantissa) {
  const bool is_greater = relation == Relation::greater || relation == Relation::greater_equal;
  const auto size = static_cast<uint32_t>(whole.size());
  const NodeId any_fraction = regexes_.optional(fraction_);
  std::vector<NodeId> parts = {regexes_.concat(regexes_.literal(whole), this->fraction(fraction, relation))};
  for (uint32_t idx = 0; idx < size; ++idx) {
    const char low = idx == 0 && (size > 1 || is_mantissa) ? '1' : '0';
    const NodeId other =
        is_greater ? digits(static_cast<char>(whole[idx] + 1), '9') : digits(low, static_cast<char>(whole[idx] - 1));
    const NodeId rest = regexes_.repeat(digit_, size - 1 - idx, size - 1 - idx);
    parts.push_back(regexes_.concat({regexes_.literal(whole.substr(0, idx)), other, rest, any_fraction}));
  }
  return regexes_.alternative(std::move(parts));
}

// bound is not negative.
NodeId NumberLanguage::plain(const Decimal& bound, Relation relation) {
  const std::string whole = bound.whole();
  const auto size = static_cast<uint32_t>(whole.size());
  std::vector<NodeId> parts = {with_whole(whole, bound.fraction(), relation, /*is_mantissa=*/false)};
  const NodeId any_fraction = regexes_.optional(fraction_);
  if (relation == Relation::greater || relation == Relation::greater_equal) {
    parts.push_back(regexes_.concat({digits('1', '9'), regexes_.repeat(digit_, size), any_fraction}));
  } else if (size > 1) {
    const NodeId shorter = regexes_.concat(digits('1', '9'), regexes_.repeat(digit_, 0, size - 2));
    parts.push_back(regexes_.concat(regexes_.alternative(regexes_.byte('0'), shorter), any_fraction));
  }
  return regexes_.alternative(std::move(parts));
}

// Whole numbers without leading zeros, at least 1 unless the bound includes 0.
NodeId NumberLanguage::whole(const std::string& bound, Relation relation) {
  const auto size = static_cast<uint32_t>(bound.size());
  const bool is_greater = relation == Relation::greater;
  std::vector<NodeId> parts;
  for (uint32_t idx = 0; idx < size; ++idx) {
    const NodeId other = is_greater ? digits(static_cast<char>(bound[idx] + 1), '9')
                                    : digits(idx == 0 && size > 1 ? '1' : '0', static_cast<char>(bound[idx] - 1));
    const NodeId rest = regexes_.repeat(digit_, size - 1 - idx, size - 1 - idx);
    parts.push_back(regexes_.concat({regexes_.literal(bound.substr(0, idx)), other, rest}));
  }
  if (is_greater) {
    parts.push_back(regexes_.concat(digits('1', '9'), regexes_.repeat(digit_, size)));
  } else if (size > 1) {
    parts.push_back(regexes_.concat(digits('1', '9'), regexes_.repeat(digit_, 0, size - 2)));
    parts.push_back(regexes_.byte('0'));
  }
  return regexes_.alternative(std::move(parts));
}

NodeId NumberLanguage::exponent(int64_t bound, Relation relation) {
  const NodeId plus = regexes_.optional(regexes_.byte('+'));
  const std::string text = std::to_string(bound < 0 ? -bound : bound);
  const NodeId any = regexes_.concat(digit_, digits_);
  const auto padded = [&](Relation each) { return regexes_.concat(zeros_, whole(text, each)); };
  NodeId node = kNothing;
  if (relation == Relation::greater) {
    node = bound >= 0
               ? regexes_.concat(plus, padded(Relation::greater))
               : regexes_.alternative(regexes_.concat(plus, any), regexes_.concat(minus_, padded(Relation::less)));
  } else {
    node = bound > 0 ? regexes_.alternative(regexes_.concat(minus_, any), regexes_.concat(plus, padded(Relation::less)))
                     : regexes_.concat(minus_, padded(Relation::greater));
  }
  return regexes_.concat(e_, node);
}

NodeId NumberLanguage::exponent_equal(int64_t value) {
  if (value == 0)
    return regexes_.concat(
        {e_, regexes_.optional(regexes_.bytes(ByteSet::of({'+', '-'}))), regexes_.byte('0'), zeros_});
  const NodeId sign = value < 0 ? minus_ : regexes_.optional(regexes_.byte('+'));
  return regexes_.concat({e_, sign, zeros_, regexes_.literal(std::to_string(value < 0 ? -value : value))});
}

NodeId NumberLanguage::scientific(const Decimal& bound, Relation relation) {
  const bool is_greater = relation == Relation::greater || relation == Relation::greater_equal;
  if (bound.is_zero()) return is_greater ? scientific_ : kNothing;
  const NodeId any_mantissa = regexes_.concat(digits('1', '9'), regexes_.optional(fraction_));
  const NodeId other = exponent(bound.scale(), is_greater ? Relation::greater : Relation::less);
  const NodeId mantissa = with_whole(bound.digits.substr(0, 1), bound.digits.substr(1), relation, /*is_mantissa=*/true);
  return regexes_.alternative(regexes_.concat(any_mantissa, other),
                              regexes_.concat(mantissa, exponent_equal(bound.scale())));
}

NodeId NumberLanguage::magnitude(const Decimal& bound, Relation relation) {
  if (!bound.fits(1000)) refuse("a number with more than 1000 digits is not supported");
  return regexes_.alternative(plain(bound, relation), scientific(bound, relation));
}

NodeId NumberLanguage::compare(const Decimal& bound, Relation relation) {
  const bool is_greater = relation == Relation::greater || relation == Relation::greater_equal;
  const bool is_inclusive = relation == Relation::greater_equal || relation == Relation::less_equal;
  const Decimal size = bound.magnitude();
  // Of numbers with the bound's sign, and with the other.
  if (bound.is_zero()) {
    const NodeId beyond = regexes_.concat(is_greater ? kEmpty : minus_, magnitude(size, Relation::greater));
    const NodeId zero = regexes_.concat(regexes_.optional(minus_), zero_);
    return is_inclusive ? regexes_.alternative(beyond, zero) : beyond;
  }
  const Relation away = is_inclusive ? Relation::greater_equal : Relation::greater;
  const Relation towards = is_inclusive ? Relation::less_equal : Relation::less;
  const NodeId sign = bound.is_negative ? minus_ : kEmpty, other_sign = bound.is_negative ? kEmpty : minus_;
  if (is_greater != bound.is_negative) return regexes_.concat(sign, magnitude(size, away));
  return regexes_.alternative(regexes_.concat(other_sign, magnitude_), regexes_.concat(sign, magnitude(size, towards)));
}

NumberAtom NumberLanguage::minimum(const Decimal& bound, bool is_exclusive) {
  return {.satisfied = compare(bound, is_exclusive ? Relation::greater : Relation::greater_equal),
          .broken = compare(bound, is_exclusive ? Relation::less_equal : Relation::less)};
}

NumberAtom NumberLanguage::maximum(const Decimal& bound, bool is_exclusive) {
  return {.satisfied = compare(bound, is_exclusive ? Relation::less : Relation::less_equal),
          .broken = compare(bound, is_exclusive ? Relation::greater_equal : Relation::greater)};
}

NumberAtom NumberLanguage::equal(const Decimal& value) {
  if (!value.fits(1000)) refuse("a number with more than 1000 digits is not supported");
  const NodeId broken = regexes_.alternative(compare(value, Relation::less), compare(value, Relation::greater));
  if (value.is_zero()) return {.satisfied = regexes_.concat(regexes_.optional(minus_), zero_), .broken = broken};
  const auto with_zeros = [&](const std::string& whole, const std::string& fraction) {
    const NodeId zero_fraction = regexes_.optional(regexes_.concat({point_, regexes_.byte('0'), zeros_}));
    const NodeId rest =
        fraction.empty() ? zero_fraction : regexes_.concat({point_, regexes_.literal(fraction), zeros_});
    return regexes_.concat(regexes_.literal(whole), rest);
  };
  const NodeId plain = with_zeros(value.whole(), value.fraction());
  const NodeId mantissa = with_zeros(value.digits.substr(0, 1), value.digits.substr(1));
  const NodeId both = regexes_.alternative(plain, regexes_.concat(mantissa, exponent_equal(value.scale())));
  return {.satisfied = regexes_.concat(value.is_negative ? minus_ : kEmpty, both), .broken = broken};
}

NumberAtom NumberLanguage::integer(bool has_no_point) {
  const NodeId sign = regexes_.optional(minus_);
  const NodeId zeros = regexes_.concat({point_, regexes_.byte('0'), zeros_});
  const NodeId not_zeros = regexes_.concat({point_, digits_, digits('1', '9'), digits_});
  const NodeId small = regexes_.concat({digits('1', '9'), regexes_.optional(fraction_), exponent(0, Relation::less)});
  return {.satisfied = regexes_.concat({sign, whole_, has_no_point ? kEmpty : regexes_.optional(zeros)}),
          .broken = regexes_.concat(sign, regexes_.alternative(regexes_.concat(whole_, not_zeros), small))};
}

NumberAtom NumberLanguage::multiple_of(const Divisor& divisor) {
  const NodeId multiples = multiples_of(regexes_, divisor);
  const NodeId all = regexes_.concat(regexes_.optional(minus_), plain_);
  return {.satisfied = multiples, .broken = regexes_.intersection(all, regexes_.complement(multiples))};
}

}  // namespace ogas::grammar
