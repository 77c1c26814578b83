// OGAS_CHECK: a broken invariant is a bug in ogas; say which, and stop before it spreads.
//
// Not for bytes from outside: those return a Result (result.h).
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace ogas::detail {
[[noreturn, gnu::cold]] void check_failed(const char* file, int line, const char* condition, const std::string& text);
}

// OGAS_CHECK(n > 0, "n is {}", n): always on; not for the innermost loops.
#define OGAS_CHECK(condition, ...)                                                             \
  do {                                                                                         \
    if (!(condition)) [[unlikely]]                                                             \
      ogas::detail::check_failed(__FILE__, __LINE__, #condition, fmt::format("" __VA_ARGS__)); \
  } while (false)
