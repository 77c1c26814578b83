// Errors that come from outside (files, users, the machine) travel as values; broken invariants abort.
//
// A message names what was found, what was expected and where, and if possible what to do next. Exceptions do not
// cross folders: a library's own are caught at the call. For programming errors see check.h.
#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <utility>

namespace ogas {

// What went wrong, in the classes a caller acts on (cli/ turns them into exit codes).
enum class ErrorCode {
  usage,          // the request itself is wrong: an unknown option, a value out of range
  bad_file,       // bytes from outside break their format
  out_of_memory,  // it would not fit; detected before anything large was allocated
  unsupported,    // well-formed, but something ogas does not know (an architecture, a format)
  not_found,      // no such file, model or key
  io,             // the operating system refused
  cancelled,      // the caller asked to stop
  unavailable,    // not now: too many requests at once
};

struct Error {
  ErrorCode code;
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

// return fail(ErrorCode::bad_file, "tensor '{}': ...", name);
template <class... Args>
std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// The same error, prefixed with where it happened: "model.gguf: tensor 'x': ...".
template <class... Args>
std::unexpected<Error> fail_within(const Error& inner, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{inner.code, fmt::format(format, std::forward<Args>(args)...) + ": " + inner.message});
}

}  // namespace ogas

// auto value = OGAS_TRY(function());   OGAS_TRY(function_without_value());
// Unwraps a Result, or returns its error from the enclosing function (which must return a Result too).
#define OGAS_TRY(expression) OGAS_TRY_AS(OGAS_NAME(ogas_result_, __COUNTER__), expression)
#define OGAS_TRY_AS(result, expression)                             \
  __extension__({                                                   \
    auto result = (expression);                                     \
    if (!result) return std::unexpected(std::move(result).error()); \
    ogas::detail::unwrap(std::move(result));                        \
  })
// A unique name for each use, so that uses can be nested.
#define OGAS_NAME(prefix, number) OGAS_JOIN(prefix, number)
#define OGAS_JOIN(prefix, number) prefix##number

namespace ogas::detail {
template <class T>
T unwrap(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
}  // namespace ogas::detail
