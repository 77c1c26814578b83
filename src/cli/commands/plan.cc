// ogas plan: whether and how well a model will run here, from its headers alone.

#include <algorithm>
#include <cstdlib>

#include "base/memory.h"
#include "base/quote.h"
#include "cli/commands/commands.h"
#include "cli/options/add_setting.h"
#include "cli/options/help.h"
#include "cli/options/model_path.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "forecast/model_forecast.h"
#include "forecast/remote_header.h"
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
  ModelForecast forecast;
  double watts = 0;
};

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
  const MemoryPlan& memory = plan.forecast.memory;
  row("model", fmt::format("{}, {}, {} of weights", plan.name, plan.forecast.facts.architecture,
                           format_bytes(plan.forecast.facts.weight_bytes)));
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
  row("machine", fmt::format("memory {:.1f} GB/s, disk {}", plan.forecast.rates.memory / 1e9,
                             plan.forecast.rates.disk > 0 ? fmt::format("{:.2f} GB/s", plan.forecast.rates.disk / 1e9)
                                                          : "unknown"));
  if (memory.leaves_experts_on_disk)
    row("from disk", fmt::format("{} a token if all experts are taken alike, {} as trained models usually take them "
                                 "(estimate)",
                                 format_bytes(static_cast<uint64_t>(plan.forecast.even.bytes_a_token)),
                                 format_bytes(static_cast<uint64_t>(plan.forecast.skewed.bytes_a_token))));
  row("decoding", fmt::format("{} tokens/s (estimate)",
                              range_of(1 / plan.forecast.even.token_seconds, 1 / plan.forecast.skewed.token_seconds,
                                       plan.forecast.even.token_seconds > 1 ? 2 : 1)));
  row("first token", fmt::format("after {} s for a prompt of 512 (estimate){}",
                                 range_of(plan.forecast.even.prompt_seconds, plan.forecast.skewed.prompt_seconds, 1),
                                 plan.forecast.even.load_seconds > 0
                                     ? fmt::format("; loading takes {:.1f} s, less if the system remembers the file",
                                                   plan.forecast.even.load_seconds)
                                     : ""));
  row("energy", fmt::format("{} J a token (estimate from {:.0f} W)",
                            range_of(plan.watts * plan.forecast.even.token_seconds,
                                     plan.watts * plan.forecast.skewed.token_seconds, 1),
                            plan.watts));
  const auto best =
      std::ranges::min_element(plan.forecast.token_seconds_with, {}, [](const auto& one) { return one.second; });
  if (best != plan.forecast.token_seconds_with.end())
    row("would help", fmt::format("{}: {:.1f} tokens/s (estimate)", best->first, 1 / best->second));
  else
    row("would help",
        "faster memory, or weights of fewer bits: decoding reads " + what_a_token_reads(plan.forecast.facts));
  return text;
}

Json as_json(const Plan& plan) {
  const MemoryPlan& memory = plan.forecast.memory;
  const auto forecast_json = [&](const Forecast& f) -> Json {
    return {{"decode_tokens_per_s", 1 / f.token_seconds},
            {"first_token_s_of_512", f.prompt_seconds},
            {"bytes_a_token_from_disk", f.bytes_a_token},
            {"hits", f.hits},
            {"joules_a_token", plan.watts * f.token_seconds}};
  };
  Json helps = Json::object();
  for (const auto& [what, seconds] : plan.forecast.token_seconds_with) helps[what] = 1 / seconds;
  return {{"model", plan.name},
          {"fits", !memory.leaves_experts_on_disk},
          {"experts_a_token", plan.forecast.facts.n_expert_used},
          {"weight_bytes_a_token", static_cast<uint64_t>(plan.forecast.facts.pass_bytes(1))},
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
          {"memory_bytes_per_s", plan.forecast.rates.memory},
          {"disk_bytes_per_s", plan.forecast.rates.disk > 0 ? Json(plan.forecast.rates.disk) : Json(nullptr)},
          {"load_s", plan.forecast.even.load_seconds},
          {"estimate_even_routing", forecast_json(plan.forecast.even)},
          {"estimate_skewed_routing", forecast_json(plan.forecast.skewed)},
          {"watts_estimate", plan.watts},
          {"decode_tokens_per_s_with", helps}};
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
  const EngineOptions engine_options = options.model.engine_options();
  Plan plan{.name = std::filesystem::path(name).filename().string(),
            .forecast = OGAS_TRY(forecast_model(file, name, engine_options, options.disk, has_weights))};
  plan.watts = options.watts_a_thread * plan.forecast.memory.options.n_threads;
  if (engine_options.takes_fewer_experts()) options.model.announce_fewer_experts(plan.forecast.facts);
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
