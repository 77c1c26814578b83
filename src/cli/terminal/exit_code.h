// How the program ends: exit codes, and errors as a person should see them.
#pragma once

#include "base/result.h"

namespace ogas::cli {

inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;
inline constexpr int kBadModel = 3;
inline constexpr int kOutOfMemory = 4;
inline constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells report it

int exit_code_of(ErrorCode code);
// Prints "ogas: error: ..." on stderr and returns the exit code.
int report(const Error& error);

}  // namespace ogas::cli
