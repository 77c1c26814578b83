// Where C ends and C++ begins: results and exceptions become status codes, structs of any age become ours.
#pragma once

#include <ogas/ogas.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogas::capi {

ogas_status status_of(ErrorCode code);
// Makes it the calling thread's last error.
ogas_status remember(ogas_status status, std::string_view message) noexcept;

// The body of a function of the API: nothing is thrown past it.
template <class Body>
ogas_status guarded(Body&& body) noexcept {
  try {
    const Result<> result = body();
    return result ? OGAS_OK : remember(status_of(result.error().code), result.error().message);
  } catch (const std::bad_alloc&) {
    return remember(OGAS_ERROR_OUT_OF_MEMORY, "the machine has no memory left for this");
  } catch (const std::exception& exception) {
    return remember(OGAS_ERROR_INTERNAL, exception.what());
  } catch (...) {
    return remember(OGAS_ERROR_INTERNAL, "an exception that says nothing");
  }
}

// need(text, "text"). Errors: usage.
inline Result<> need(const void* pointer, std::string_view name) {
  if (pointer) return {};
  return fail(ErrorCode::usage, "{} is NULL", name);
}

// A struct of the API as its caller knows it may be shorter than ours, or longer.
constexpr size_t kLargestStruct = 4096;
inline Result<> check_size(size_t size, std::string_view type) {
  if (size >= sizeof(size_t) && size <= kLargestStruct) return {};
  return fail(ErrorCode::usage, "{0}.size is {1}; {0}_init sets it to sizeof({0})", type, size);
}

// The caller's fields over the defaults, which NULL stands for. Errors: usage (size), unsupported.
template <class T>
Result<T> read_struct(const T* given, T fields, std::string_view type) {
  if (!given) return fields;
  OGAS_TRY(check_size(given->size, type));
  const auto* bytes = reinterpret_cast<const std::byte*>(given);
  const auto rest = std::span(bytes, given->size).subspan(std::min(given->size, sizeof(T)));
  if (std::ranges::any_of(rest, [](std::byte byte) { return byte != std::byte{0}; }))
    return fail(ErrorCode::unsupported, "{} has fields that this version of the library, {}, does not know", type,
                ogas_version());
  std::memcpy(&fields, bytes, std::min(given->size, sizeof(T)));
  return fields;
}

// The other way. Errors: usage.
template <class T>
Result<> write_struct(T fields, T* taker, size_t size, std::string_view type) {
  OGAS_TRY(need(taker, type));
  OGAS_TRY(check_size(size, type));
  fields.size = size;
  std::memset(static_cast<void*>(taker), 0, size);
  std::memcpy(static_cast<void*>(taker), &fields, std::min(size, sizeof(T)));
  return {};
}

// The caller's array; NULL will do for none. Errors: usage.
template <class T>
Result<std::span<const T>> read_array(const T* values, size_t n, std::string_view name) {
  if (n == 0) return std::span<const T>();
  OGAS_TRY(need(values, name));
  return std::span(values, n);
}

// The same of strings, copied. Errors: usage.
inline Result<std::vector<std::string>> read_strings(const char* const* texts, size_t n, std::string_view name) {
  std::vector<std::string> strings;
  for (const char* text : OGAS_TRY(read_array(texts, n, name))) {
    OGAS_TRY(need(text, fmt::format("{}[{}]", name, strings.size())));
    strings.emplace_back(text);
  }
  return strings;
}

// A copy for ogas_free, followed by `extra` zero elements.
template <class T>
T* copy_for_caller(std::span<const T> values, size_t extra = 0) {
  auto* copy = static_cast<T*>(std::calloc(std::max<size_t>(values.size() + extra, 1), sizeof(T)));
  if (!copy) throw std::bad_alloc();
  std::ranges::copy(values, copy);
  return copy;
}

}  // namespace ogas::capi
