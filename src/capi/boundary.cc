#include "capi/boundary.h"

#include "base/unicode.h"
#include "base/version.h"

namespace ogas::capi {
namespace {

// Not a std::string: its destructor at thread exit would keep dlclose() from unloading the library. And this one needs
// no allocation when memory is exhausted.
thread_local char last_error[2048] = "";

}  // namespace

ogas_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage: return OGAS_ERROR_USAGE;
    case ErrorCode::bad_file: return OGAS_ERROR_BAD_FILE;
    case ErrorCode::out_of_memory: return OGAS_ERROR_OUT_OF_MEMORY;
    case ErrorCode::unsupported: return OGAS_ERROR_UNSUPPORTED;
    case ErrorCode::not_found: return OGAS_ERROR_NOT_FOUND;
    case ErrorCode::io: return OGAS_ERROR_IO;
    case ErrorCode::cancelled: return OGAS_ERROR_CANCELLED;
    case ErrorCode::unavailable: return OGAS_ERROR_UNAVAILABLE;
  }
  return OGAS_ERROR_INTERNAL;
}

ogas_status remember(ogas_status status, std::string_view message) noexcept {
  const std::string_view fitting = message.substr(0, sizeof(last_error) - 1);
  const size_t n = fitting.size() == message.size() ? message.size() : valid_utf8_prefix(fitting);
  std::ranges::copy(message.substr(0, n), last_error);
  last_error[n] = '\0';
  return status;
}

}  // namespace ogas::capi

int ogas_abi_version(void) { return OGAS_ABI_VERSION; }

const char* ogas_version(void) { return ogas::version().data(); }  // a literal

const char* ogas_last_error(void) { return ogas::capi::last_error; }

const char* ogas_status_name(ogas_status status) {
  switch (status) {
    case OGAS_OK: return "ok";
    case OGAS_ERROR_USAGE: return "usage";
    case OGAS_ERROR_BAD_FILE: return "bad_file";
    case OGAS_ERROR_OUT_OF_MEMORY: return "out_of_memory";
    case OGAS_ERROR_UNSUPPORTED: return "unsupported";
    case OGAS_ERROR_NOT_FOUND: return "not_found";
    case OGAS_ERROR_IO: return "io";
    case OGAS_ERROR_CANCELLED: return "cancelled";
    case OGAS_ERROR_UNAVAILABLE: return "unavailable";
    case OGAS_ERROR_INTERNAL: return "internal";
  }
  return "unknown";
}

void ogas_free(void* memory) { std::free(memory); }
