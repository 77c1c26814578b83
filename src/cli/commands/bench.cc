// ogas bench: how fast a model runs, compared with the limits of this machine.
#include <chrono>
#include <cstring>
#include <optional>

#include "base/memory.h"
#include "base/quote.h"
#include "base/thread_pool.h"
#include "cli/bench/bench_report.h"
#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/options/model_path.h"
#include "cli/report/atomic_file.h"
#include "cli/report/experts_report.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "forecast/bench_figures.h"
#include "forecast/bench_serial.h"
#include "forecast/roofline_svg.h"

namespace ogas::cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  FigureOptions figures;
  bool json = false, against_serial = false;
  std::string plot;
  std::vector<std::string> compare;
};

Result<int> compare(const BenchOptions& options) {
  const auto a = OGAS_TRY(read_report(options.compare[0])), b = OGAS_TRY(read_report(options.compare[1]));
  const auto comparison = compare_reports(a, b);
  if (!options.json) {
    write_stdout(as_table(comparison));
    return kSuccess;
  }
  auto ratios = nlohmann::ordered_json::object();
  for (const auto& [name, row] : comparison.items()) ratios[name] = row["ratio"];
  write_json(ratios, 2);
  return kSuccess;
}

std::unexpected<Error> cannot_write(const std::string& path) {
  return fail(ErrorCode::io, "cannot write {}: {}", in_quotes(path), std::strerror(errno));
}

void show_step(std::string_view text) {
  if (stderr_is_terminal()) write_stderr(fmt::format("\r\x1b[K{}", text));
}

// Of the model, then of the machine, whose buffers must not count as the model's memory.
Result<BenchReport> measure_model(const BenchOptions& options, unsigned n_threads) {
  const auto path = OGAS_TRY(find_model(options.model.model));
  BenchReport report;
  report.model = path.filename().string();
  report.n_threads = n_threads;
  if (const auto disk = measure_disk(path)) report.disk = *disk;
  const auto start = std::chrono::steady_clock::now();
  ModelOptions model = options.model;
  model.settings.n_threads = n_threads;
  const auto engine = OGAS_TRY(model.load_for_tokens());
  report.load_seconds = seconds_since(start);
  report.isa = engine->isa();
  report.file_bytes = engine->file().total_bytes();
  Bench bench(*engine, options.figures);
  report.figures = OGAS_TRY(bench.run());
  report.first_answer = bench.first_answer();
  report.peak_memory_bytes = peak_memory();
  const auto experts = expert_stats(*engine);
  if (experts) report.experts = experts_json(*experts);
  report.machine = measure_machine(engine->isa(), n_threads, engine->weight_panels(),
                                   /*may_allocate=*/!experts, options.figures.show);
  if (options.against_serial) report.serial = measure_serial(*engine);
  return report;
}

Result<int> bench(const BenchOptions& options) {
  if (!options.compare.empty()) return compare(options);
  if (options.model.model.empty())
    return fail(ErrorCode::usage, "MODEL is missing; for example: ogas bench model.gguf");
  std::optional<AtomicFile> plot;
  if (!options.plot.empty() && !plot.emplace(options.plot).is_open()) return cannot_write(options.plot);
  const unsigned n_threads = options.model.settings.n_threads > 0 ? options.model.settings.n_threads : usable_cores();
  BenchReport report = OGAS_TRY(measure_model(options, n_threads));
  if (plot) {
    const std::string svg = roofline_svg(as_roofline(report));
    if (!plot->write(svg.data(), svg.size()) || !plot->finish()) return cannot_write(options.plot);
  }
  options.json ? write_json(as_json(report), 2) : write_stdout(as_table(report));
  return kSuccess;
}

}  // namespace

void add_bench(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<BenchOptions>();
  options->figures.show = show_step;
  CLI::App* command = app.add_subcommand("bench", "Measure a model's speed and compare it with the machine's limits");
  command->add_option("MODEL", options->model.model, "Model, as a file or a name");
  options->model.add_to(*command);
  command->add_option("--repeat", options->figures.n_repeat, "Repetitions of each figure; the table has their medians")
      ->type_name("N")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--budget", options->figures.budget_seconds,
                   "Seconds for measuring; figures after that are not repeated, or left out")
      ->type_name("S")
      ->check(any_number())
      ->capture_default_str();
  command->add_option("--only", options->figures.only, "Measure only this figure; may be given several times")
      ->type_name("FIGURE")
      ->check(one_of(figure_names()))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  command->add_flag("--against-serial", options->against_serial,
                    "Also measure plain loops on one thread, on a part of the model");
  command->add_option("--plot", options->plot, "Draw all figures under the machine's roofline")->type_name("FILE.svg");
  command->add_option("--compare", options->compare, "Two reports of --json: how many times faster the second is")
      ->type_name("A.json B.json")
      ->expected(2)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--json", options->json, "Write everything as JSON");
  command->footer(
      "Limit: the time to read weights and KV cache once per step or prompt at memory bandwidth, or to multiply all\n"
      "weights at the peak of their format, whichever is longer. Attention's scores are not counted. Spread is half\n"
      "the distance between the quartiles. Steps of several tokens are consecutive tokens of one sequence with logits\n"
      "of each, as speculation verifies them; sessions get one token each per step.\n"
      "Figures: prefill 32, 128, 512, 2048; decode at 0, 2048, 8192; 2, 4, 8, 16 tokens a step; 2, 4, 8, 16 sessions.\n"
      "Prefill 512 and what --only names are measured once at least, whatever the --budget.\n"
      "Limits count --n-expert-used experts, and with --min-expert-weight one: weights decide how many more there "
      "are.\n"
      "A context larger than memory allows is cut down; figures that do not fit are left out and say why.\n"
      "Examples:\n"
      "  ogas bench model.gguf --against-serial --plot roofline.svg\n"
      "  ogas bench model.gguf --only 'prefill 512' --only 'decode at 0'\n"
      "  ogas bench model.gguf --json > after.json && ogas bench --compare before.json after.json");
  when_asked(command, chosen, options, bench);
}

}  // namespace ogas::cli
