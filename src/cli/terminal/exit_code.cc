#include "cli/terminal/exit_code.h"

#include "cli/terminal/terminal.h"

namespace ogas::cli {

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage: return kUsage;
    case ErrorCode::bad_file:
    case ErrorCode::unsupported:
    case ErrorCode::not_found: return kBadModel;
    case ErrorCode::out_of_memory: return kOutOfMemory;
    case ErrorCode::io:
    case ErrorCode::unavailable: return kFailure;
    case ErrorCode::cancelled: return kInterrupted;
  }
  return kFailure;
}

int report(const Error& error) {
  write_stderr(fmt::format("ogas: {} {}\n", style_stderr(Style::error, "error:"), printable(error.message)));
  return exit_code_of(error.code);
}

}  // namespace ogas::cli
