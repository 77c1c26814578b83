// The commands of the program. Each adds itself to the application and sets `chosen` when it was asked for.
#pragma once

#include <memory>

#include "cli/options/options.h"
#include "cli/terminal/exit_code.h"

namespace ogas::cli {

// Where `command` is asked for, `chosen` becomes run(options), whose error is reported.
template <class Options>
void when_asked(CLI::App* command, Command& chosen, std::shared_ptr<Options> options,
                Result<int> (*run)(const Options&)) {
  command->callback([options, run, &chosen] {
    chosen = [options, run] {
      const auto code = run(*options);
      return code ? *code : report(code.error());
    };
  });
}

void add_run(CLI::App& app, Command& chosen);
void add_chat(CLI::App& app, Command& chosen);
void add_inspect(CLI::App& app, Command& chosen);
void add_logits(CLI::App& app, Command& chosen);
void add_tokenize(CLI::App& app, Command& chosen);
void add_grammar(CLI::App& app, Command& chosen);
void add_score(CLI::App& app, Command& chosen);
void add_embed(CLI::App& app, Command& chosen);
void add_synth(CLI::App& app, Command& chosen);
void add_plan(CLI::App& app, Command& chosen);
void add_bench(CLI::App& app, Command& chosen);
void add_serve(CLI::App& app, Command& chosen);
void add_top(CLI::App& app, Command& chosen);
void add_completion(CLI::App& app, Command& chosen);

}  // namespace ogas::cli
