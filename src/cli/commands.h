// The commands of the program. Each adds itself to the application and sets `chosen` when it was asked for.
#pragma once

#include "cli/options.h"

namespace ogas::cli {

void add_run(CLI::App& app, Command& chosen);
void add_chat(CLI::App& app, Command& chosen);
void add_inspect(CLI::App& app, Command& chosen);
void add_logits(CLI::App& app, Command& chosen);
void add_tokenize(CLI::App& app, Command& chosen);
void add_synth(CLI::App& app, Command& chosen);
void add_bench(CLI::App& app, Command& chosen);
void add_completion(CLI::App& app, Command& chosen);

}  // namespace ogas::cli
