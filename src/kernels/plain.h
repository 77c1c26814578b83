// Exponentials, and elements of the plain formats, over an instruction set's vectors; for generic.h and attend.h.
#pragma once

#include "quant/formats.h"
#include "quant/half.h"

namespace ogas {
namespace {

template <class Isa>
OGAS_INLINE typename Isa::Floats exp(typename Isa::Floats x) {
  // e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, and e^r by its Taylor series to r^7, whose remainder is
  // below 2^-27. ln 2 is split in two so that x - n ln 2 keeps all bits. Below -87.3 the result is about 1e-38 instead
  // of 0.
  x = Isa::max(Isa::min(x, Isa::set1(88)), Isa::set1(-87.3F));
  const auto n = Isa::round(Isa::mul(x, Isa::set1(1.44269504F)));
  auto r = Isa::fma(n, Isa::set1(-0.693359375F), x);
  r = Isa::fma(n, Isa::set1(2.12194440e-4F), r);
  constexpr float kCoefficients[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 1.0F / 2, 1, 1};
  auto p = Isa::set1(1.0F / 5040);
  for (const float coefficient : kCoefficients) p = Isa::fma(p, r, Isa::set1(coefficient));
  return Isa::mul(p, Isa::power_of_two(n));
}

// One value through the vector code, so that tails round as the rest does.
template <class Isa>
OGAS_INLINE float exp1(float x) {
  float lanes[Isa::kWidth];
  Isa::store(lanes, exp<Isa>(Isa::set1(x)));
  return lanes[0];
}

// Elements of the plain formats, as vectors and one by one.
template <class Isa, Format kFormat>
struct Plain;

template <class Isa>
struct Plain<Isa, Format::f32> {
  using Element = float;
  static OGAS_INLINE typename Isa::Floats load(const Element* p) { return Isa::load(p); }
  static OGAS_INLINE float load1(Element x) { return x; }
};
template <class Isa>
struct Plain<Isa, Format::f16> {
  using Element = uint16_t;
  static OGAS_INLINE typename Isa::Floats load(const Element* p) { return Isa::load_f16(p); }
  static OGAS_INLINE float load1(Element x) { return f16_to_f32(x); }
};
template <class Isa>
struct Plain<Isa, Format::bf16> {
  using Element = uint16_t;
  static OGAS_INLINE typename Isa::Floats load(const Element* p) { return Isa::load_bf16(p); }
  static OGAS_INLINE float load1(Element x) { return bf16_to_f32(x); }
};

}  // namespace
}  // namespace ogas
