#include "cli/program.h"

int main(int argc, char** argv) { return ogas::cli::run_program(argc, argv); }
