// ogas embed: texts as vectors, for search and comparison.
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/quote.h"
#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/options/input_text.h"
#include "cli/options/model_path.h"
#include "cli/report/atomic_file.h"
#include "cli/report/npy.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/embed.h"

namespace ogas::cli {
namespace {

using Tokens = std::vector<TokenId>;

constexpr size_t kTextsTogether = 64;  // so that output comes as it is computed

struct EmbedCommand {
  ModelOptions model;
  std::vector<std::string> positional;  // MODEL and texts
  std::string file, pooling, out;
  bool no_normalize = false, parse_special = false, json = false, quiet = false;

  EmbedOptions for_engine() const {
    EmbedOptions options{.normalize = !no_normalize};
    for (const Pooling known : {Pooling::last, Pooling::mean, Pooling::first})
      if (pooling == name_of(known)) options.pooling = known;
    return options;
  }
};

// What is left of `positional` is the model. Errors: usage; as read_text.
Result<std::vector<std::string>> take_texts(std::vector<std::string>& positional, const std::string& file) {
  const size_t n_models = !positional.empty() && names_a_model(positional.front()) ? 1 : 0;
  if (positional.size() > n_models) {
    if (!file.empty())
      return fail(ErrorCode::usage, "texts are given twice, by --file and as {}", in_quotes(positional.back()));
    std::vector<std::string> texts(positional.begin() + static_cast<std::ptrdiff_t>(n_models), positional.end());
    positional.resize(n_models);
    return texts;
  }
  const std::string model = n_models > 0 && file.empty() ? "; " + OGAS_TRY(names_which_model(positional.front())) : "";
  if (file.empty() && stdin_is_terminal())
    return fail(ErrorCode::usage, "texts are missing; for example: ogas embed \"The sky is blue.\"{}", model);
  auto texts = lines_of(OGAS_TRY(read_text(file.empty() ? "-" : file)));
  if (texts.empty())
    return fail(ErrorCode::usage, "{} is empty{}", file.empty() || file == "-" ? "stdin" : file, model);
  return texts;
}

// Before anything is computed. Errors: usage, naming the text.
Result<std::vector<Tokens>> encode_all(const Engine& engine, std::span<const std::string> texts, bool parse_special) {
  const Tokenizer& tokenizer = *OGAS_TRY(engine.text().tokenizer_or_error());
  std::vector<Tokens> all;
  for (const std::string& text : texts) {
    all.push_back(tokenizer.encode(text, {.parse_special = parse_special, .add_special = true}));
    const size_t n = all.back().size(), n_ctx = engine.options().n_ctx;
    if (n == 0) return fail(ErrorCode::usage, "text {} is empty; each needs a token", all.size());
    if (n > n_ctx)
      return fail(ErrorCode::usage, "text {} has {} tokens, {} more than the context of {}", all.size(), n, n - n_ctx,
                  n_ctx);
  }
  return all;
}

// The shortest decimal that reads as the same float.
double shortest(float value) {
  const std::string text = fmt::format("{}", value);
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

void print(const EmbedCommand& command, size_t idx, const std::string& text, size_t n_tokens,
           std::span<const float> vector) {
  if (command.json) {
    auto numbers = nlohmann::ordered_json::array();
    for (const float value : vector) numbers.push_back(shortest(value));
    write_json({{"index", idx}, {"text", text}, {"tokens", n_tokens}, {"embedding", std::move(numbers)}});
    return;
  }
  std::string line;
  for (const float value : vector) line += fmt::format("{}{}", line.empty() ? "" : " ", value);
  write_stdout(line + "\n");
}

Result<int> embed(const EmbedCommand& given) {
  EmbedCommand command = given;
  const auto texts = OGAS_TRY(take_texts(command.positional, command.file));
  if (!command.positional.empty()) command.model.model = command.positional.front();
  const auto cannot_write = [&] {
    return fail(ErrorCode::io, "cannot write {}: {}", in_quotes(command.out), std::strerror(errno));
  };
  std::optional<AtomicFile> file;
  if (!command.out.empty() && !file.emplace(command.out).is_open()) return cannot_write();
  const auto engine = OGAS_TRY(command.model.load());
  const bool has_arguments = given.positional.size() > command.positional.size();
  if (has_arguments || (!command.file.empty() && command.file != "-"))
    warn_of_unread_stdin(has_arguments ? "the arguments" : "--file");
  EmbedOptions options = command.for_engine();
  if (!options.pooling) options.pooling = OGAS_TRY(recommended_pooling(engine->file()));
  const auto tokens = OGAS_TRY(encode_all(*engine, texts, command.parse_special));

  const std::string header = npy_header(texts.size(), engine->facts().n_embd);
  if (file && !file->write(header.data(), header.size())) return cannot_write();
  ProgressBar bar("embedding");
  for (size_t begin = 0; begin < texts.size(); begin += kTextsTogether) {
    const size_t n = std::min(kTextsTogether, texts.size() - begin);
    const auto vectors = OGAS_TRY(embed(*engine, std::span(tokens).subspan(begin, n), options));
    for (size_t idx = 0; idx < n; ++idx) {
      const std::vector<float>& vector = vectors[idx];
      if (!file)
        print(command, begin + idx, texts[begin + idx], tokens[begin + idx].size(), vector);
      else if (!file->write(vector.data(), std::span(vector).size_bytes()))
        return cannot_write();
    }
    if (file) bar.update(static_cast<double>(begin + n) / static_cast<double>(texts.size()));
  }
  if (file && !file->finish()) return cannot_write();
  bar.clear();
  if (command.quiet) return kSuccess;
  const std::string what =
      fmt::format("{}{}: {} x {} values, pooling {}{}", command.out.empty() ? "" : command.out + ", ",
                  engine->file().path().filename().string(), texts.size(), engine->facts().n_embd,
                  name_of(*options.pooling), options.normalize ? ", length 1" : "");
  write_stderr(style_stderr(Style::dim, printable_line(what)) + "\n");
  return kSuccess;
}

}  // namespace

void add_embed(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<EmbedCommand>();
  CLI::App* command = app.add_subcommand("embed", "Compute embeddings of texts");
  command->add_option("MODEL TEXT...", options->positional, "Model (file or name; default: the small one) and texts")
      ->expected(0, -1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option* json = command->add_flag("--json", options->json, "A JSON object a text, each on a line of its own");
  command->add_option("-f,--file", options->file, "A file with a text a line; - or nothing: stdin")->type_name("FILE");
  command->add_option("-o,--out", options->out, "Write a .npy file instead: float32 [texts, values]")
      ->type_name("FILE")
      ->excludes(json);
  command
      ->add_option("--pooling", options->pooling,
                   "Pooling of the tokens' hidden states (default: what the model's file says, or last)")
      ->type_name("last|mean|first")
      ->check(one_of({"last", "mean", "first"}));
  command->add_flag("--no-normalize", options->no_normalize, "Do not scale vectors to length 1");
  command->add_flag("--parse-special", options->parse_special, "Parse special tokens such as <|im_end|> in the texts");
  command->add_flag("-q,--quiet", options->quiet, "Write nothing to stderr");
  options->model.add_to(*command);
  command->footer(
      "Of length 1, the product of two vectors is their cosine. Vectors are worth most from models trained for them. "
      "In\n"
      "models whose tokens see only those before them, \"first\" says nothing of the rest.\n"
      "Examples:\n"
      "  ogas embed \"The sky is blue.\" \"Grass is green.\" --json\n"
      "  ogas embed model.gguf --file lines.txt --out lines.npy\n"
      "  head -3 lines.txt | ogas embed --pooling mean");
  when_asked(command, chosen, options, embed);
}

}  // namespace ogas::cli
