// ogas bench: how fast a model runs, each figure beside what this machine could do at most.
#include <algorithm>
#include <chrono>

#include "base/file.h"
#include "base/memory.h"
#include "base/quote.h"
#include "base/thread_pool.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/help.h"
#include "cli/model_path.h"
#include "cli/terminal.h"
#include "measure/machine.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct BenchOptions {
  ModelOptions model;
  uint32_t n_repeat = 5;
  double budget_seconds = 15;  // of one figure
  bool json = false;
  std::vector<std::string> compare;
};

struct Machine {
  std::vector<double> bandwidth;  // bytes a second by threads, 1 and on
  Peak int8, f32;
};

struct Figure {
  std::string name;
  Median rate = {};  // tokens a second
  double limit = 0;  // the same
  std::string skipped = {};
};

void show_step(std::string_view text) {
  if (stderr_is_terminal()) write_stderr(fmt::format("\r\x1b[K{}", text));
}

Machine measure_machine(unsigned n_threads) {
  Machine machine;
  for (unsigned n = 1; n <= n_threads; n = n == n_threads ? n + 1 : std::min(2 * n, n_threads)) {
    show_step(fmt::format("reading memory with {} threads", n));
    ThreadPool pool(n);
    machine.bandwidth.push_back(measure_read_bandwidth(pool));
  }
  show_step("multiplying");
  ThreadPool pool(n_threads);
  machine.int8 = measure_int8_peak(pool);
  machine.f32 = measure_f32_peak(pool);
  return machine;
}

// What one token reads and multiplies: embeddings are read by the row, experts by those it takes.
struct Work {
  double bytes = 0, params = 0;
};

Work work_of_token(const Engine& engine) {
  const ModelFacts& facts = engine.facts();
  const auto contains = [](std::string_view name, std::string_view part) { return name.find(part) != name.npos; };
  const auto& tensors = engine.file().tensors();
  const bool is_tied = std::ranges::none_of(
      tensors, [](const auto& t) { return t.first == "output.weight" || t.first == "lm_head.weight"; });
  Work work;
  for (const auto& [name, tensor] : tensors) {
    if (!is_tied && (contains(name, "token_embd.") || contains(name, "embed_tokens."))) continue;
    if (contains(name, "nextn.") || contains(name, "mtp_")) continue;
    const bool is_expert = contains(name, "_exps.") || contains(name, ".mlp.experts.");
    const double share = is_expert && facts.n_expert > 0 ? double(facts.n_expert_used) / facts.n_expert : 1;
    work.bytes += share * static_cast<double>(tensor.n_bytes());
    work.params += share * static_cast<double>(tensor.shape.n_values());
  }
  return work;
}

// Tokens that a text could have, without any text: spread over the vocabulary.
std::vector<TokenId> make_tokens(size_t n, uint32_t n_vocab) {
  std::vector<TokenId> tokens(n);
  uint64_t state = 1;
  for (TokenId& token : tokens) {
    state = state * 6364136223846793005U + 1442695040888963407U;  // Knuth, MMIX
    token = static_cast<TokenId>((state >> 33) % n_vocab);
  }
  return tokens;
}

class Bench {
 public:
  Bench(Engine& engine, const Machine& machine, const BenchOptions& options)
      : engine_(engine), machine_(machine), options_(options), work_(work_of_token(engine)) {}

  Result<std::vector<Figure>> run() {
    for (const uint32_t n : {32U, 128U, 512U, 2048U}) OGAS_TRY(prefill(n));
    for (const uint32_t depth : {0U, 2048U, 8192U}) OGAS_TRY(decode(depth));
    return std::move(figures_);
  }
  double first_token_seconds() const { return first_token_seconds_; }

 private:
  // Why a figure that begins with so many tokens of prompt is left out; empty: it is not.
  std::string why_not(uint32_t n_prompt, uint32_t n_more) const {
    if (n_prompt + n_more > engine_.options().n_ctx)
      return fmt::format("the context has {} positions", engine_.options().n_ctx);
    if (prefill_rate_ > 0 && n_prompt / prefill_rate_ > options_.budget_seconds)
      return fmt::format("the prompt would take {:.0f} s; --budget allows for it", n_prompt / prefill_rate_);
    return {};
  }

  Result<> prefill(uint32_t n) {
    Figure figure{.name = fmt::format("prefill {}", n), .limit = machine_.int8.ops / (2 * work_.params)};
    figure.skipped = why_not(n, 0);
    show_step(figure.name);
    std::vector<double> rates;
    const auto begin = Clock::now();
    while (figure.skipped.empty() && rates.size() < options_.n_repeat &&
           (rates.empty() || seconds_since(begin) < options_.budget_seconds)) {
      const auto session = engine_.new_session();
      const auto start = Clock::now();
      OGAS_TRY(engine_.extend(*session, make_tokens(n, engine_.facts().n_vocab)));
      const double seconds = seconds_since(start);
      if (figures_.empty() && rates.empty()) first_token_seconds_ = seconds;
      rates.push_back(n / seconds);
    }
    figure.rate = median_of(rates);
    if (!rates.empty()) prefill_rate_ = figure.rate.value;
    figures_.push_back(std::move(figure));
    return {};
  }

  Result<> decode(uint32_t depth) {
    constexpr uint32_t kSteps = 16;  // of one repetition
    KvShape kv = engine_.facts().kv;
    kv.format = engine_.options().kv_format;
    const double bytes = work_.bytes + static_cast<double>(kv.position_bytes()) * depth;
    Figure figure{.name = fmt::format("decode at {}", depth), .limit = machine_.bandwidth.back() / bytes};
    // A prompt of one token makes a start even at depth 0.
    const uint32_t n_prompt = std::max(depth, 1U);
    figure.skipped = why_not(n_prompt, kSteps * options_.n_repeat);
    show_step(figure.name);
    std::vector<double> rates;
    if (figure.skipped.empty()) {
      const auto session = engine_.new_session();
      auto logits = OGAS_TRY(engine_.extend(*session, make_tokens(n_prompt, engine_.facts().n_vocab)));
      const auto begin = Clock::now();
      while (rates.size() < options_.n_repeat && (rates.empty() || seconds_since(begin) < options_.budget_seconds)) {
        const auto start = Clock::now();
        for (uint32_t step = 0; step < kSteps; ++step) {
          const auto token = static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
          logits = OGAS_TRY(engine_.extend(*session, std::span(&token, 1)));
        }
        rates.push_back(kSteps / seconds_since(start));
      }
    }
    figure.rate = median_of(rates);
    figures_.push_back(std::move(figure));
    return {};
  }

  Engine& engine_;
  const Machine& machine_;
  const BenchOptions& options_;
  Work work_;
  std::vector<Figure> figures_;
  double prefill_rate_ = 0, first_token_seconds_ = 0;
};

Json as_json(const Machine& machine) {
  return {{"read_bytes_per_s", machine.bandwidth},
          {"int8_ops_per_s", machine.int8.ops},
          {"int8_instruction", machine.int8.instruction},
          {"f32_ops_per_s", machine.f32.ops},
          {"f32_instruction", machine.f32.instruction}};
}

Json as_json(const std::vector<Figure>& figures) {
  Json json = Json::object();
  for (const Figure& figure : figures) {
    if (!figure.skipped.empty()) {
      json[figure.name] = {{"skipped", figure.skipped}};
      continue;
    }
    json[figure.name] = {{"tokens_per_s", figure.rate.value},
                         {"spread", figure.rate.spread},
                         {"limit", figure.limit},
                         {"fraction", figure.rate.value / figure.limit}};
  }
  return json;
}

std::string as_table(const Json& report) {
  const auto giga = [](const Json& value) { return value.get<double>() / 1e9; };
  const Json& machine = report["machine"];
  std::string text = fmt::format("{} · {} · {} threads\n", printable_line(report["model"].get<std::string>()),
                                 report["isa"].get<std::string>(), report["threads"].get<int>());
  text += "memory read       ";
  for (const Json& bandwidth : machine["read_bytes_per_s"]) text += fmt::format(" {:.1f}", giga(bandwidth));
  text += fmt::format(" GB/s (1 to {} threads)\n", report["threads"].get<int>());
  for (const std::string_view kind : {"int8", "f32"})
    text +=
        fmt::format("{:4} peak          {:8.1f} Gop/s ({})\n", kind, giga(machine[fmt::format("{}_ops_per_s", kind)]),
                    machine[fmt::format("{}_instruction", kind)].get<std::string>());
  const Json& disk = report["disk_bytes_per_s"];
  text +=
      disk.is_number() ? fmt::format("disk read          {:8.2f} GB/s\n", giga(disk)) : "disk read          unknown\n";
  text += fmt::format("load               {:8.2f} s (file of {})\n", report["load_s"].get<double>(),
                      format_bytes(report["file_bytes"].get<uint64_t>()));
  text += fmt::format("first token        {:8.2f} s (prompt of 32)\n", report["first_token_s"].get<double>());
  text += fmt::format("peak memory        {:>8}\n\n", format_bytes(report["peak_memory_bytes"].get<uint64_t>()));
  text += fmt::format("{:18} {:>9} {:>8} {:>10} {:>9}\n", "", "tokens/s", "spread", "limit", "of limit");
  for (const auto& [name, figure] : report["figures"].items())
    text += figure.contains("skipped")
                ? fmt::format("{:18} left out: {}\n", name, figure["skipped"].get<std::string>())
                : fmt::format("{:18} {:9.1f} {:7.1f}% {:10.1f} {:8.1f}%\n", name, figure["tokens_per_s"].get<double>(),
                              100 * figure["spread"].get<double>(), figure["limit"].get<double>(),
                              100 * figure["fraction"].get<double>());
  return text;
}

Result<Json> read_report(const std::string& path) {
  Json json = Json::parse(OGAS_TRY(read_file(path, size_t{1} << 20)), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("figures") || !json["figures"].is_object())
    return fail(ErrorCode::usage, "{} is no report of ogas bench --json", in_quotes(path));
  return json;
}

Result<int> compare(const BenchOptions& options) {
  const Json a = OGAS_TRY(read_report(options.compare[0])), b = OGAS_TRY(read_report(options.compare[1]));
  Json ratios = Json::object();
  std::string table = fmt::format("{:18} {:>9} {:>9} {:>8}\n", "tokens/s", "first", "second", "ratio");
  for (const auto& [name, figure] : a["figures"].items()) {
    const auto rate = [&](const Json& report) {
      const Json& figures = report["figures"];
      const auto found = figures.find(name);
      if (found == figures.end() || !found->is_object() || !found->contains("tokens_per_s")) return 0.0;
      const Json& value = (*found)["tokens_per_s"];
      return value.is_number() ? value.get<double>() : 0.0;
    };
    if (rate(a) <= 0 || rate(b) <= 0) continue;
    ratios[name] = rate(b) / rate(a);
    table += fmt::format("{:18} {:9.1f} {:9.1f} {:7.2f}x\n", printable_line(name), rate(a), rate(b), rate(b) / rate(a));
  }
  options.json ? write_json(ratios, 2) : write_stdout(table);
  return kSuccess;
}

Result<int> bench(const BenchOptions& options) {
  if (!options.compare.empty()) return compare(options);
  if (options.model.model.empty())
    return fail(ErrorCode::usage, "MODEL is missing; for example: ogas bench model.gguf");
  const auto path = OGAS_TRY(find_model(options.model.model));
  const unsigned n_threads = options.model.n_threads > 0 ? options.model.n_threads : usable_cores();
  const Machine machine = measure_machine(n_threads);
  show_step("reading the disk");
  const auto disk = measure_disk(path);
  show_step("");
  const auto start = Clock::now();
  ModelOptions model = options.model;
  model.n_threads = n_threads;
  const auto engine = OGAS_TRY(model.load());
  const double load_seconds = seconds_since(start);
  Bench run(*engine, machine, options);
  const auto figures = OGAS_TRY(run.run());
  show_step("");
  const Json report = {{"model", path.filename().string()},
                       {"isa", engine->isa()},
                       {"threads", n_threads},
                       {"machine", as_json(machine)},
                       {"disk_bytes_per_s", disk ? Json(*disk) : Json(nullptr)},
                       {"file_bytes", engine->file().total_bytes()},
                       {"load_s", load_seconds},
                       {"first_token_s", run.first_token_seconds()},
                       {"peak_memory_bytes", peak_memory()},
                       {"figures", as_json(figures)}};
  options.json ? write_json(report, 2) : write_stdout(as_table(report));
  return kSuccess;
}

}  // namespace

void add_bench(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Measure a model's speed beside the machine's own limits");
  command->add_option("MODEL", options->model.model, "Model, as a file or a name");
  options->model.add_to(*command);
  command->add_option("--repeat", options->n_repeat, "Repetitions of each figure; the table has their medians")
      ->type_name("N")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  command->add_option("--budget", options->budget_seconds, "Seconds after which a figure is not repeated, or left out")
      ->type_name("S")
      ->check(any_number())
      ->capture_default_str();
  command->add_option("--compare", options->compare, "Two reports of --json: how many times faster the second is")
      ->type_name("A.json B.json")
      ->expected(2)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--json", options->json, "Everything as JSON");
  command->footer(
      "Limits: decode reads every active weight and all keys and values once a token, at the pace of memory; prefill\n"
      "multiplies and adds once for every active weight, at the 8-bit peak. Spread is half the distance between the\n"
      "quartiles. The engine computes one sequence at a time, so there are no figures for several users.\n"
      "A context larger than memory allows is cut down; figures that do not fit are left out and say why.\n"
      "Examples:\n"
      "  ogas bench model.gguf\n"
      "  ogas bench model.gguf --json > after.json && ogas bench --compare before.json after.json");
  when_asked(command, chosen, options, bench);
}

}  // namespace ogas::cli
