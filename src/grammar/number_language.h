// JSON numbers that satisfy a constraint, as expressions over how they are written.
//
// Numbers with a bound are written -?(0|[1-9][0-9]*)(\.[0-9]+)? or in scientific notation with one digit from 1 to 9
// before the point; multiples and integers have no exponent. So a number's value can be compared digit by digit. For
// each constraint there are the numbers that satisfy it and those that break it. Spellings beyond these are in neither.
#pragma once

#include "grammar/decimal.h"
#include "grammar/regex.h"

namespace ogas::grammar {

// Numbers that satisfy a constraint, and numbers that break it.
struct NumberAtom {
  NodeId satisfied = kNothing, broken = kNothing;
  bool operator==(const NumberAtom&) const = default;
};

class NumberLanguage {
 public:
  explicit NumberLanguage(Regexes& regexes);

  NodeId any() const { return any_; }  // as JSON allows it
  // has_no_point: 1.0 is neither.
  NumberAtom integer(bool has_no_point = false);
  NumberAtom minimum(const Decimal& bound, bool is_exclusive);
  NumberAtom maximum(const Decimal& bound, bool is_exclusive);
  NumberAtom equal(const Decimal& value);
  // divisor > 0, and small enough (below 2^31 without its point).
  NumberAtom multiple_of(const Divisor& divisor);

 private:
  enum class Relation { less, less_equal, greater, greater_equal };
  NodeId digits(char first, char last);
  NodeId fraction(const std::string& bound, Relation relation);
  NodeId magnitude(const Decimal& bound, Relation relation);
  NodeId plain(const Decimal& bound, Relation relation);
  NodeId with_whole(const std::string& whole, const std::string& fraction, Relation relation, bool is_mantissa);
  NodeId scientific(const Decimal& bound, Relation relation);
  NodeId exponent(int64_t bound, Relation relation);
  NodeId exponent_equal(int64_t value);
  NodeId whole(const std::string& bound, Relation relation);
  NodeId compare(const Decimal& bound, Relation relation);

  Regexes& regexes_;
  NodeId digit_, digits_, zeros_, minus_, point_, e_;
  NodeId whole_, fraction_, plain_, scientific_, magnitude_, zero_, any_;
};

}  // namespace ogas::grammar
