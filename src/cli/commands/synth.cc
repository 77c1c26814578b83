// ogas synth: model files of real shapes with random weights, so that anyone can repeat a measurement without a
// download.
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "base/memory.h"
#include "base/quote.h"
#include "base/thread_pool.h"
#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/report/atomic_file.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "synth/synthetic_model.h"

namespace ogas::cli {
namespace {

struct CommandOptions {
  std::string shape, out;
  SynthOptions synth;
  bool list = false, json = false, force = false;
};

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const ModelShape& shape : all_shapes()) names.emplace_back(shape.name);
  return names;
}

Result<int> list_shapes(const CommandOptions& options) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::string table = fmt::format("{:20} {:>6} {:>7} {:>8} {:>11} {:>10}\n", "shape", "layers", "width", "experts",
                                  "parameters", "size");
  for (const ModelShape& shape : all_shapes()) {
    SynthOptions synth = options.synth;
    synth.n_layer = std::min(synth.n_layer, shape.n_layer);
    const auto model = OGAS_TRY(SyntheticModel::create(shape, synth));
    const uint32_t n_layer = synth.n_layer > 0 ? synth.n_layer : shape.n_layer;
    const double billions = static_cast<double>(model.n_params()) / 1e9;
    table += fmt::format("{:20} {:6} {:7} {:>8} {:9.2f} B {:>10}\n", shape.name, n_layer, shape.n_embd,
                         shape.n_expert > 0 ? fmt::format("{}/{}", shape.n_expert_used, shape.n_expert) : "", billions,
                         format_bytes(model.n_bytes()));
    json.push_back({{"shape", shape.name},
                    {"architecture", shape.architecture},
                    {"layers", n_layer},
                    {"width", shape.n_embd},
                    {"experts", shape.n_expert},
                    {"experts_used", shape.n_expert_used},
                    {"vocabulary", shape.n_vocab},
                    {"parameters", model.n_params()},
                    {"bytes", model.n_bytes()}});
  }
  options.json ? write_json(json, 2) : write_stdout(table);
  return kSuccess;
}

// Errors: io, if the file exists already or the disk has too little space.
Result<> check_target(const std::filesystem::path& out, uint64_t n_bytes, bool force) {
  std::error_code error;
  if (std::filesystem::is_directory(out, error))
    return fail(ErrorCode::usage, "{} is a folder; a file's name is expected", in_quotes(out.string()));
  if (!force && std::filesystem::is_regular_file(out, error))
    return fail(ErrorCode::usage, "{} is there already; --force overwrites it", in_quotes(out.string()));
  const auto folder = out.has_parent_path() ? out.parent_path() : std::filesystem::path(".");
  const auto space = std::filesystem::space(folder, error);
  if (error) return fail(ErrorCode::io, "{}: {}", in_quotes(folder.string()), error.message());
  if (space.available < n_bytes)
    return fail(ErrorCode::io, "the file takes {}; {} has {} left", format_bytes(n_bytes), in_quotes(folder.string()),
                format_bytes(space.available));
  return {};
}

// Makes a few pieces at a time on all threads and writes them in order.
bool write_model(const SyntheticModel& model, AtomicFile& file, ProgressBar& bar) {
  ThreadPool pool;
  const auto& pieces = model.pieces();
  const size_t n_at_once = 4 * size_t{pool.size()};
  std::vector<std::vector<std::byte>> buffers(n_at_once);
  uint64_t at = model.header().size();
  if (!file.write(model.header().data(), at)) return false;
  constexpr std::byte kZeros[GgufWriter::kAlignment]{};
  for (size_t begin = 0; begin < pieces.size(); begin += n_at_once) {
    const size_t n = std::min(n_at_once, pieces.size() - begin);
    pool.parallel_for(n, [&](size_t idx, unsigned) {
      buffers[idx].resize(pieces[begin + idx].n_bytes);
      model.fill(pieces[begin + idx], buffers[idx]);
    });
    for (size_t idx = 0; idx < n; ++idx) {
      const uint64_t gap = model.offset_of(pieces[begin + idx]) - at;
      if (!file.write(kZeros, gap) || !file.write(buffers[idx].data(), buffers[idx].size())) return false;
      at += gap + buffers[idx].size();
    }
    bar.update(static_cast<double>(at) / static_cast<double>(model.n_bytes()));
  }
  return file.finish();
}

Result<int> synth(const CommandOptions& options) {
  if (options.list) return list_shapes(options);
  const ModelShape* shape = find_shape(options.shape);
  if (!shape)
    return fail(ErrorCode::usage, "SHAPE is {}; one of {} is expected",
                options.shape.empty() ? "missing" : in_quotes(options.shape), fmt::join(shape_names(), ", "));
  const auto model = OGAS_TRY(SyntheticModel::create(*shape, options.synth));
  const std::string layers = options.synth.n_layer > 0 ? fmt::format("-{}-layers", options.synth.n_layer) : "";
  const std::string out =
      options.out.empty() ? fmt::format("{}{}.{}.gguf", shape->name, layers, options.synth.type) : options.out;
  OGAS_TRY(check_target(out, model.n_bytes(), options.force));
  AtomicFile file(out);
  ProgressBar bar("writing " + out);
  if (!file.is_open() || !write_model(model, file, bar))
    return fail(ErrorCode::io, "cannot write {}: {}", in_quotes(out), std::strerror(errno));
  bar.clear();
  if (options.json)
    write_json({{"file", out}, {"bytes", model.n_bytes()}, {"parameters", model.n_params()}});
  else
    write_stdout(fmt::format("{}\n", printable_line(out)));
  return kSuccess;
}

}  // namespace

void add_synth(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<CommandOptions>();
  CLI::App* command = app.add_subcommand("synth", "Write a model file with a published shape and random weights");
  std::vector<std::string> types = synth_types();
  for (std::string& type : types)
    std::ranges::transform(type, type.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  options->synth.type = types.front();
  command->add_option("SHAPE", options->shape, "The model whose shape it has; --list shows them")
      ->type_name(fmt::format("{}", fmt::join(shape_names(), "|")));
  command->add_option("OUT", options->out, "The .gguf file (default: SHAPE.TYPE.gguf here)");
  command->add_option("--layers", options->synth.n_layer, "Only the first N layers (default: all)")
      ->type_name("N")
      ->check(whole_number(1, 1000));
  command->add_option("--type", options->synth.type, "Format of the matrices; q4_k_m mixes as llama.cpp does")
      ->type_name(fmt::format("{}", fmt::join(types, "|")))
      ->check(one_of(types))
      ->capture_default_str();
  command->add_option("-s,--seed", options->synth.seed, "The same seed gives the same bytes")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--list", options->list, "List the shapes and the sizes of their files");
  command->add_flag("--json", options->json, "Write the result or the list as JSON");
  command->add_flag("-f,--force", options->force, "Overwrite an existing file");
  command->footer(
      "The files load in llama.cpp, too. Their answers are words without sense; speed and memory are those of the\n"
      "real model. Rotations of long contexts that a file needs a tensor for are left out.\n"
      "Examples:\n"
      "  ogas synth --list --layers 8\n"
      "  ogas synth llama-3.1-8b /tmp/8b.gguf --layers 8\n"
      "  ogas synth qwen3-0.6b --type q8_0 && ogas bench qwen3-0.6b.q8_0.gguf");
  when_asked(command, chosen, options, synth);
}

}  // namespace ogas::cli
