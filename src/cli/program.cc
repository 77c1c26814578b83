#include "cli/program.h"

#include <cstdio>
#include <new>

#include "base/log.h"
#include "base/memory.h"
#include "base/time_slice.h"
#include "base/version.h"
#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/terminal.h"
#include "engine/instruction_set.h"

namespace ogas::cli {
namespace {

std::string version_text() {
  return fmt::format("ogas {} (commit {}, {})", version(), commit(), instruction_set().value_or("OGAS_ISA is wrong"));
}

void describe(CLI::App& app) {
  app.set_version_flag("--version", version_text, "Version, commit and instruction set");
  app.require_subcommand(0, 1);
  app.formatter(make_help_formatter());
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_help_flag("-h,--help", "This text");
  app.footer(
      "Examples:\n"
      "  ogas run \"Why is the sky blue?\"         one answer from the small default model\n"
      "  ogas chat model.gguf                    a conversation; /help shows its commands\n"
      "  ogas chat --server localhost:8080       the same with a server; ogas top watches it\n"
      "  ogas inspect model.gguf                 what a model file holds, without loading it\n"
      "  ogas embed --file lines.txt --out x.npy a vector for each line, for search\n"
      "  git diff | ogas run \"Summarise this change:\"\n"
      "\n"
      "MODEL is a .gguf file (of a split one the first part), or the beginning of the name of one that lies in\n"
      "~/.cache/ogas/models or in the folders of OGAS_MODELS.\n"
      "\n"
      "Environment:\n"
      "  OGAS_MODELS    folders of models, separated by colons\n"
      "  OGAS_ISA       forces an instruction set: reference, avx2, avx512, avx512vnni, ...\n"
      "  OGAS_API_KEY   the key for a server (else OPENAI_API_KEY)\n"
      "  OGAS_LOG       debug, info, warn or error: diagnostics on stderr\n"
      "  NO_COLOR       no colours\n"
      "\n"
      "Exit codes: 0 success, 1 failure, 2 usage, 3 bad model file, 4 out of memory, 130 interrupted.");
}

// What CLI11 has to say, in our words and with our exit codes.
int report_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {
    // An argument that fits nowhere is an error, even with --help or --version.
    if (const auto leftover = app.remaining(/*recurse=*/true); !leftover.empty())
      return report({ErrorCode::usage, explain_usage_error(app, CLI::ExtrasError(leftover))});
    const bool is_version = dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr;
    write_stdout(is_version ? std::string(error.what()) + "\n" : app.help());
    return kSuccess;
  }
  return report({ErrorCode::usage, explain_usage_error(app, error)});
}

}  // namespace

int run_program(int argc, char** argv) {
  keep_heap_small();
  request_short_time_slices();
  start_log();
  install_signal_handlers();
  CLI::App app("Open-weight language models on the machine you own.", "ogas");
  Command chosen;
  describe(app);
  add_run(app, chosen);
  add_chat(app, chosen);
  add_inspect(app, chosen);
  add_tokenize(app, chosen);
  add_grammar(app, chosen);
  add_logits(app, chosen);
  add_score(app, chosen);
  add_embed(app, chosen);
  add_synth(app, chosen);
  add_plan(app, chosen);
  add_bench(app, chosen);
  add_serve(app, chosen);
  add_top(app, chosen);
  add_completion(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_parse_error(app, error);
  }
  if (!chosen) {
    write_stdout(app.help());
    return kSuccess;
  }
  try {
    return chosen();
  } catch (const std::bad_alloc&) {
    return report({ErrorCode::out_of_memory, "the machine has no memory left for this"});
  }
}

}  // namespace ogas::cli
