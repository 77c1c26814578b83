// The program: its commands, and how it ends.
#pragma once

namespace ogas::cli {

// The exit code.
int run_program(int argc, char** argv);

}  // namespace ogas::cli
