// Why a grammar is refused. Thrown inside grammar/ only; compile_...() and GrammarMatcher catch it.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

namespace ogas::grammar {

struct Refusal {
  std::string reason;
  ErrorCode code = ErrorCode::unsupported;
  std::optional<std::string> pointer = {};  // of a schema: JSON pointer to the keyword
};

// refuse("'{}' is not supported", keyword);
template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Refusal{.reason = fmt::format(format, std::forward<Args>(args)...)};
}

// The same for what is not a grammar at all: broken JSON, a pattern that does not parse.
template <class... Args>
[[noreturn]] void refuse_broken(fmt::format_string<Args...> format, Args&&... args) {
  throw Refusal{.reason = fmt::format(format, std::forward<Args>(args)...), .code = ErrorCode::bad_file};
}

}  // namespace ogas::grammar
