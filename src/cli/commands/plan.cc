// ogas plan: whether and how well a model will run here, from its headers alone.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "arch/registry.h"
#include "base/memory.h"
#include "base/quote.h"
#include "cli/bench/forecast.h"
#include "cli/bench/remote_header.h"
#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/options/model_path.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/fewer_experts.h"
#include "kernels/dispatch.h"
#include "measure/machine.h"
#include "nn/moe.h"
#include "synth/random_blocks.h"
#include "synth/synthetic_model.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;

struct PlanOptions {
  ModelOptions model;
  SynthOptions shape;  // where MODEL is one
  std::optional<uint64_t> disk;
  std::vector<const CLI::Option*> of_shapes;  // options that a file has no use for
  double watts_a_thread = 6;
  bool json = false;
};

struct Plan {
  std::string name;
  const ModelFacts& facts;
  MemoryPlan memory;
  Rates rates = {};
  Forecast even = {}, skewed = {};
  std::map<std::string, double> token_seconds_with = {};  // more of something
  double watts = 0;
};

// What most of the weights are.
Format usual_format(const TensorFile& file) {
  std::map<Format, uint64_t> bytes;
  for (const auto& [name, tensor] : file.tensors())
    if (tensor.shape.n_dims > 1) bytes[tensor.format] += tensor.n_bytes();
  const auto max = std::ranges::max_element(bytes, {}, [](const auto& use) { return use.second; });
  return max != bytes.end() && has_random_blocks(max->first) ? max->first : Format::bf16;
}

void try_what_would_help(Plan& plan, size_t n_moe) {
  const MemoryPlan& memory = plan.memory;
  if (!memory.leaves_experts_on_disk) return;
  const uint64_t larger = std::min(memory.all_expert_bytes, memory.expert_bytes + memory.available);
  plan.token_seconds_with["twice the memory"] =
      forecast(plan.facts, memory, larger, n_moe, plan.rates, Routing::skewed).token_seconds;
  Rates faster = plan.rates;
  faster.disk *= 2;
  plan.token_seconds_with["a disk twice as quick"] =
      forecast(plan.facts, memory, memory.expert_bytes, n_moe, faster, Routing::skewed).token_seconds;
}

std::string range_of(double a, double b, int digits) {
  const std::string low = fmt::format("{:.{}f}", std::min(a, b), digits),
                    high = fmt::format("{:.{}f}", std::max(a, b), digits);
  return low == high ? low : low + " to " + high;
}

// In memory: all weights but the embeddings' rows of other tokens, and experts that the token does not take.
std::string what_a_token_reads(const ModelFacts& facts) {
  const auto n_read = static_cast<uint64_t>(facts.pass_bytes(1));
  if (facts.n_expert == 0) return format_bytes(n_read) + " of them for every token";
  return fmt::format("{} of {} for every token, {} of {} experts a layer among them", format_bytes(n_read),
                     format_bytes(facts.weight_bytes), facts.n_expert_used, facts.n_expert);
}

std::string as_text(const Plan& plan) {
  std::string text;
  const auto row = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{} {}\n", style_stdout(Style::dim, fmt::format("{:<14}", name)), value);
  };
  const MemoryPlan& memory = plan.memory;
  row("model",
      fmt::format("{}, {}, {} of weights", plan.name, plan.facts.architecture, format_bytes(plan.facts.weight_bytes)));
  row("memory", fmt::format("{} free; {}", format_bytes(memory.available),
                            memory.leaves_experts_on_disk
                                ? "not all fits: experts that are not in memory are read from disk as tokens take them"
                                : "all weights fit"));
  row("  weights", format_bytes(memory.weight_bytes));
  if (memory.leaves_experts_on_disk)
    row("  experts", fmt::format("{} of {}", format_bytes(memory.expert_bytes), format_bytes(memory.all_expert_bytes)));
  row("  context", fmt::format("{} for {} positions", format_bytes(memory.context_bytes), memory.options.n_ctx));
  row("  batch",
      fmt::format("{} for {} tokens of a prompt at a time", format_bytes(memory.batch_bytes), memory.options.n_batch));
  if (memory.other_bytes > 0) row("  other", format_bytes(memory.other_bytes) + " (estimate)");
  row("machine", fmt::format("memory {:.1f} GB/s, disk {}", plan.rates.memory / 1e9,
                             plan.rates.disk > 0 ? fmt::format("{:.2f} GB/s", plan.rates.disk / 1e9) : "unknown"));
  if (memory.leaves_experts_on_disk)
    row("from disk", fmt::format("{} a token if all experts are taken alike, {} as trained models usually take them "
                                 "(estimate)",
                                 format_bytes(static_cast<uint64_t>(plan.even.bytes_a_token)),
                                 format_bytes(static_cast<uint64_t>(plan.skewed.bytes_a_token))));
  row("decoding",
      fmt::format("{} tokens/s (estimate)", range_of(1 / plan.even.token_seconds, 1 / plan.skewed.token_seconds,
                                                     plan.even.token_seconds > 1 ? 2 : 1)));
  row("first token", fmt::format("after {} s for a prompt of 512 (estimate){}",
                                 range_of(plan.even.prompt_seconds, plan.skewed.prompt_seconds, 1),
                                 plan.even.load_seconds > 0
                                     ? fmt::format("; loading takes {:.1f} s, less if the system remembers the file",
                                                   plan.even.load_seconds)
                                     : ""));
  row("energy", fmt::format("{} J a token (estimate from {:.0f} W)",
                            range_of(plan.watts * plan.even.token_seconds, plan.watts * plan.skewed.token_seconds, 1),
                            plan.watts));
  const auto best = std::ranges::min_element(plan.token_seconds_with, {}, [](const auto& one) { return one.second; });
  if (best != plan.token_seconds_with.end())
    row("would help", fmt::format("{}: {:.1f} tokens/s (estimate)", best->first, 1 / best->second));
  else
    row("would help", "faster memory, or weights of fewer bits: decoding reads " + what_a_token_reads(plan.facts));
  return text;
}

Json as_json(const Plan& plan) {
  const MemoryPlan& memory = plan.memory;
  const auto forecast_json = [&](const Forecast& f) -> Json {
    return {{"decode_tokens_per_s", 1 / f.token_seconds},
            {"first_token_s_of_512", f.prompt_seconds},
            {"bytes_a_token_from_disk", f.bytes_a_token},
            {"hits", f.hits},
            {"joules_a_token", plan.watts * f.token_seconds}};
  };
  Json helps = Json::object();
  for (const auto& [what, seconds] : plan.token_seconds_with) helps[what] = 1 / seconds;
  return {{"model", plan.name},
          {"fits", !memory.leaves_experts_on_disk},
          {"experts_a_token", plan.facts.n_expert_used},
          {"weight_bytes_a_token", static_cast<uint64_t>(plan.facts.pass_bytes(1))},
          {"mode", memory.leaves_experts_on_disk ? "experts on disk" : "in memory"},
          {"available_bytes", memory.available},
          {"weight_bytes", memory.weight_bytes},
          {"expert_bytes", memory.expert_bytes},
          {"all_expert_bytes", memory.all_expert_bytes},
          {"context_bytes", memory.context_bytes},
          {"n_ctx", memory.options.n_ctx},
          {"batch_bytes", memory.batch_bytes},
          {"n_batch", memory.options.n_batch},
          {"other_bytes", memory.other_bytes},
          {"memory_bytes_per_s", plan.rates.memory},
          {"disk_bytes_per_s", plan.rates.disk > 0 ? Json(plan.rates.disk) : Json(nullptr)},
          {"load_s", plan.even.load_seconds},
          {"estimate_even_routing", forecast_json(plan.even)},
          {"estimate_skewed_routing", forecast_json(plan.skewed)},
          {"watts_estimate", plan.watts},
          {"decode_tokens_per_s_with", helps}};
}

// Bytes a second of the disk that the file lies on and, where experts are read from them, too, those of its mirrors;
// 0: unknown. Copies on one disk share what it can do.
Result<double> measure_disks(const std::filesystem::path& file, const MemoryPlan& memory) {
  std::vector<std::filesystem::path> copies = {file};
  if (memory.leaves_experts_on_disk)
    for (const std::filesystem::path& folder : memory.options.mirrors) copies.push_back(folder / file.filename());
  std::set<dev_t> disks;
  double sum = 0;
  for (const std::filesystem::path& copy : copies) {
    struct stat status = {};
    if (::stat(copy.c_str(), &status) != 0)
      return fail(ErrorCode::not_found, "cannot open {}: {}", in_quotes(copy.string()), std::strerror(errno));
    if (!disks.insert(status.st_dev).second) continue;
    if (const auto rate = measure_disk(copy)) sum += *rate;
  }
  return sum;
}

struct Opened {
  TensorFile file;
  bool has_weights = true;  // so that the disk they lie on can be measured
};

Result<Opened> open(const std::string& name, const PlanOptions& options) {
  const ModelShape* shape = is_url(name) || std::filesystem::exists(name) ? nullptr : find_shape(name);
  if (shape) {
    const SyntheticModel model = OGAS_TRY(SyntheticModel::create(*shape, options.shape));
    return Opened{OGAS_TRY(open_header(model.header(), model.n_bytes(), name)), false};
  }
  for (const CLI::Option* option : options.of_shapes)
    if (option->count() > 0)
      return fail(ErrorCode::usage, "{} is of a shape (ogas synth --list), and {} is none", option->get_name(),
                  in_quotes(name));
  if (is_url(name)) return Opened{OGAS_TRY(open_remote(name)), false};
  return Opened{OGAS_TRY(TensorFile::open(OGAS_TRY(find_model(name))))};
}

Result<int> plan(const PlanOptions& options) {
  std::string name = options.model.model;
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  if (name.empty()) return fail(ErrorCode::usage, "MODEL is missing; for example: ogas plan model.gguf --ram 8G");
  const auto [file, has_weights] = OGAS_TRY(open(name, options));
  auto model = create_model(file);
  if (!model) return fail_within(model.error(), "{}", name);
  const EngineOptions engine_options = options.model.engine_options();
  OGAS_TRY(take_fewer_experts(**model, engine_options));
  const ModelFacts& facts = (*model)->facts();
  const CpuKernels kernels = kernels_for(**model, *OGAS_TRY(choose_kernels()));
  Plan plan{.name = std::filesystem::path(name).filename().string(),
            .facts = facts,
            .memory = OGAS_TRY(plan_memory(**model, kernels, engine_options))};
  if (!has_weights && plan.memory.leaves_experts_on_disk && !options.disk)
    return fail(ErrorCode::usage, "{} does not fit, and how quick its disk will be nobody knows; say it, as --disk 2G",
                plan.name);
  plan.rates = measure_rates(kernels, plan.memory.options.n_threads, usual_format(file));
  if (options.disk)
    plan.rates.disk = static_cast<double>(*options.disk);
  else if (has_weights)
    plan.rates.disk = OGAS_TRY(measure_disks(file.shards().front().path(), plan.memory));
  const size_t n_moe = (*model)->moes().size();
  plan.even = forecast(facts, plan.memory, plan.memory.expert_bytes, n_moe, plan.rates, Routing::even);
  plan.skewed = forecast(facts, plan.memory, plan.memory.expert_bytes, n_moe, plan.rates, Routing::skewed);
  plan.watts = options.watts_a_thread * plan.memory.options.n_threads;
  try_what_would_help(plan, n_moe);
  if (engine_options.takes_fewer_experts()) options.model.announce_fewer_experts(facts);
  options.json ? write_json(as_json(plan), 2) : write_stdout(as_text(plan));
  return kSuccess;
}

}  // namespace

void add_plan(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* command =
      app.add_subcommand("plan", "Estimate whether and how fast a model will run here, without loading it");
  command->add_option("MODEL", options->model.model,
                      "Model, as a file, a name or a URL, or a shape of ogas synth --list");
  options->model.add_to(*command);
  add_size(*command, "--disk", options->disk,
           "Read bandwidth of the disk in bytes per second, such as 2G (default: measured on the file)");
  options->of_shapes = {
      command->add_option("--type", options->shape.type, "Of a shape: the format of its matrices")
          ->capture_default_str(),
      command->add_option("--layers", options->shape.n_layer, "Of a shape: only the first N layers (default: all)")
          ->type_name("N")
          ->check(whole_number(1, 1000))};
  command->add_option("--watts", options->watts_a_thread, "Watts of a busy thread, to estimate the energy of a token")
      ->type_name("W")
      ->check(any_number())
      ->capture_default_str();
  command->add_flag("--json", options->json, "Write everything as JSON");
  command->footer(
      "Of a URL only the first few megabytes are fetched.\n"
      "Memory and modes are those that run, chat and bench will use; speeds are estimates from what this machine's\n"
      "memory, processor and disk do in a second's measurement. Ranges are from experts that are all taken alike, as\n"
      "models with random weights do, to Zipf's law, as trained models about do once the cache knows them.\n"
      "Examples:\n"
      "  ogas plan model.gguf\n"
      "  ogas plan model.gguf --ram 8G --ctx 8192 --disk 500M\n"
      "  ogas plan SHAPE --ram 32G --disk 3G  # one of ogas synth --list");
  when_asked(command, chosen, options, plan);
}

}  // namespace ogas::cli
