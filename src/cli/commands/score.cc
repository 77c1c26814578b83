// ogas score: how likely the model holds a text, or what may follow one.
#include <cmath>
#include <numbers>

#include "base/quote.h"
#include "cli/commands/commands.h"
#include "cli/options/help.h"
#include "cli/options/input_text.h"
#include "cli/options/model_path.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/score.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ScoreOptions {
  ModelOptions model;
  std::vector<std::string> positional;  // MODEL, text, or both
  std::string file, context;
  std::vector<std::string> continuations;
  ScoreWindows windows;
  bool parse_special = false, tokens = false, json = false;
};

Json tokens_json(const Tokenizer& tokenizer, std::span<const TokenId> ids, const Score& score) {
  auto tokens = Json::array();
  for (size_t idx = 0; idx < ids.size(); ++idx)
    tokens.push_back({{"id", ids[idx]},
                      {"token", tokenizer.bytes_of(ids[idx])},
                      {"logprob", score.tokens[idx].logprob},
                      {"is_greedy", score.tokens[idx].is_greedy}});
  return tokens;
}

std::string token_lines(const Tokenizer& tokenizer, std::span<const TokenId> ids, const Score& score) {
  std::string lines;
  for (size_t idx = 0; idx < ids.size(); ++idx)
    lines += fmt::format("{:10.4f}  {:6}  {}\n", score.tokens[idx].logprob, score.tokens[idx].is_greedy ? "greedy" : "",
                         in_quotes(tokenizer.bytes_of(ids[idx])));
  return lines;
}

Result<int> score_choices(const ScoreOptions& options, Engine& engine) {
  const Tokenizer& tokenizer = *OGAS_TRY(engine.text().tokenizer_or_error());
  const auto choices =
      OGAS_TRY(encode_choices(tokenizer, options.context, options.continuations, options.parse_special));
  const auto scores = OGAS_TRY(score(engine, choices.context, choices.continuations));
  auto list = Json::array();
  std::string table = "  log-prob   a token  greedy  continuation\n";
  for (size_t idx = 0; idx < scores.size(); ++idx) {
    const Score& score = scores[idx];
    const auto& ids = choices.continuations[idx];
    const double logprob = score.logprob();
    list.push_back({{"text", options.continuations[idx]},
                    {"scored_tokens", ids.size()},
                    {"logprob", logprob},
                    {"is_greedy", score.is_greedy()}});
    table += fmt::format("{:10.4f}{:10.4f}  {:6}  {}\n", logprob, logprob / static_cast<double>(ids.size()),
                         score.is_greedy() ? "yes" : "no", in_quotes(options.continuations[idx]));
    if (!options.tokens) continue;
    list.back()["tokens"] = tokens_json(tokenizer, ids, score);
    table += token_lines(tokenizer, ids, score);
  }
  if (options.json)
    write_json({{"model", engine.file().path().filename().string()},
                {"context_tokens", choices.context.size()},
                {"continuations", std::move(list)}});
  else
    write_stdout(table);
  return kSuccess;
}

Result<int> score_whole(const ScoreOptions& options, Engine& engine, std::string_view text) {
  const Tokenizer& tokenizer = *OGAS_TRY(engine.text().tokenizer_or_error());
  const auto ids = OGAS_TRY(encode_to_score(tokenizer, text, options.parse_special));
  const auto scored = std::span(ids).subspan(1);
  if (scored.empty()) return fail(ErrorCode::usage, "the text is empty");
  const Score score = OGAS_TRY(score_text(engine, ids, options.windows));
  const double bits_per_byte = -score.logprob() / std::numbers::ln2 / static_cast<double>(text.size());
  if (options.json) {
    Json json = {{"model", engine.file().path().filename().string()},
                 {"scored_tokens", scored.size()},
                 {"bytes", text.size()},
                 {"logprob", score.logprob()},
                 {"is_greedy", score.is_greedy()},
                 {"perplexity", score.perplexity()},
                 {"bits_per_byte", bits_per_byte}};
    if (options.tokens) json["tokens"] = tokens_json(tokenizer, scored, score);
    write_json(json);
    return kSuccess;
  }
  if (options.tokens) write_stdout(token_lines(tokenizer, scored, score));
  write_stdout(
      fmt::format("tokens         {} ({} bytes)\n"
                  "log-prob       {:.4f}\n"
                  "perplexity     {:.4f}\n"
                  "bits per byte  {:.4f}\n",
                  scored.size(), text.size(), score.logprob(), score.perplexity(), bits_per_byte));
  return kSuccess;
}

// The text of a command line without --continuation; what is left of `positional` is the model. Errors: usage; io.
Result<std::string> take_text(std::vector<std::string>& positional, const std::string& file) {
  const bool has_model = positional.size() == 2 || (!positional.empty() && names_a_model(positional.front()));
  const bool has_text = positional.size() > (has_model ? 1 : 0);
  if (has_text && !file.empty())
    return fail(ErrorCode::usage, "the text is given twice, by --file and as {}", in_quotes(positional.back()));
  if (has_text) {
    std::string text = std::move(positional.back());
    positional.pop_back();
    return text;
  }
  const std::string model = has_model ? "; " + OGAS_TRY(names_which_model(positional.front())) : "";
  if (file.empty() && stdin_is_terminal())
    return fail(ErrorCode::usage,
                "a text is missing; for example: ogas score \"The sky is blue.\", or --context and --continuation{}",
                model);
  std::string text = OGAS_TRY(read_text(file.empty() ? "-" : file));
  if (text.empty() && file.empty() && has_model)
    return fail(ErrorCode::usage, "the text is empty: nothing came from stdin{}", model);
  return text;
}

Result<int> score(const ScoreOptions& given) {
  ScoreOptions options = given;
  const bool has_choices = !options.continuations.empty();
  if (options.positional.size() > (has_choices ? 1 : 2))
    return fail(ErrorCode::usage, "{} arguments, where a model{} expected; put quotes around a text",
                options.positional.size(), has_choices ? " is" : " and a text are");
  if (has_choices && !options.file.empty())
    return fail(ErrorCode::usage, "--file is a text to be scored as a whole, which --continuation excludes");
  if (!has_choices && !options.context.empty())
    return fail(ErrorCode::usage, "--context needs at least one --continuation to be scored after it");
  const std::string text = has_choices ? "" : OGAS_TRY(take_text(options.positional, options.file));
  if (!options.positional.empty()) options.model.model = options.positional.front();
  const auto engine = OGAS_TRY(options.model.load());
  const bool takes_stdin = !has_choices && given.file.empty() && given.positional.size() == options.positional.size();
  if (!takes_stdin && options.file != "-")
    warn_of_unread_stdin(has_choices ? "--continuation" : options.file.empty() ? "the argument" : "--file");
  return has_choices ? score_choices(options, *engine) : score_whole(options, *engine, text);
}

}  // namespace

void add_score(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<ScoreOptions>();
  CLI::App* command = app.add_subcommand("score", "Log-probabilities of a text, or of continuations");
  command
      ->add_option("MODEL TEXT", options->positional, "Model (file or name; default: the small one) and a whole text")
      ->expected(0, -1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("-f,--file", options->file, "A file with the whole text; - or nothing: stdin")->type_name("FILE");
  command->add_option("--context", options->context, "Text before the continuations")->type_name("TEXT");
  CLI::Option* continuation = command
                                  ->add_option("--continuation", options->continuations,
                                               "Score this text after the context; may be given several times")
                                  ->type_name("TEXT")
                                  ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                                  ->allow_extra_args(false);
  command->add_option("--window", options->windows.n_tokens, "Tokens of a window of a long text (default: the context)")
      ->type_name("N")
      ->excludes(continuation)
      ->check(whole_number(1, std::numeric_limits<uint32_t>::max()));
  command
      ->add_option("--overlap", options->windows.n_before,
                   "Tokens of context in a window before those that it scores, at least")
      ->type_name("N")
      ->excludes(continuation)
      ->check(whole_number(1, std::numeric_limits<uint32_t>::max()))
      ->capture_default_str();
  command->add_flag("--parse-special", options->parse_special, "Parse special tokens such as <|im_end|> in the texts");
  command->add_flag("--tokens", options->tokens, "Also show each token");
  command->add_flag("--json", options->json, "One JSON object");
  options->model.add_to(*command);
  command->footer(
      "Log-probabilities are natural logarithms; \"greedy\" means that greedy decoding gives this text. In a whole\n"
      "text every token is scored, after BOS (or EOS, if the model has no BOS), in the windows of\n"
      "lm-evaluation-harness.\n"
      "Examples:\n"
      "  ogas score --context \"The capital of France is\" --continuation \" Paris\" --continuation \" London\"\n"
      "  ogas score model.gguf --file book.txt --window 512 --overlap 256 --json\n"
      "  ogas score \"Colourless green ideas sleep furiously.\" --tokens");
  when_asked(command, chosen, options, score);
}

}  // namespace ogas::cli
