// ogas run: one answer to stdout, and nothing else on stdout.
#include <chrono>
#include <optional>

#include "base/memory.h"
#include "base/quote.h"
#include "cli/chat/model_reply.h"
#include "cli/commands/commands.h"
#include "cli/options/grammar_options.h"
#include "cli/options/help.h"
#include "cli/options/input_text.h"
#include "cli/options/model_path.h"
#include "cli/report/answer_line.h"
#include "cli/report/experts_report.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/reply_printer.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/terminal.h"
#include "engine/answer_figures.h"
#include "engine/answer_grammars.h"
#include "engine/kv_manager.h"

namespace ogas::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  TemplateOptions chat;
  AnswerOptions answer;
  GrammarOptions grammar;
  std::vector<std::string> positional;  // MODEL, prompt, or both
  std::string prompt, system;
  bool raw = false, json = false, quiet = false, hides_thinking = false;
  std::optional<uint32_t> n_logprobs;
  double asked_at = 0;  // seconds since the start: when the prompt was whole, which stdin may have brought late
};

// The lone argument that was taken for a model may have been meant as a prompt.
Result<> read_prompt(RunOptions& options, const std::string& taken_for_model) {
  std::string help = "for example: ogas run \"Why is the sky blue?\"";
  if (!taken_for_model.empty()) {
    const std::string names = OGAS_TRY(names_which_model(taken_for_model));
    help = fmt::format("{}; as a prompt: -p {}; {}", names, in_quotes(taken_for_model), help);
  }
  if (stdin_is_terminal()) return fail(ErrorCode::usage, "a prompt is missing; {}", help);
  options.prompt = read_stdin();
  // What a shell adds at the end of a pipe is not part of the question.
  if (!options.raw && options.prompt.ends_with('\n')) options.prompt.pop_back();
  if (options.prompt.empty()) return fail(ErrorCode::usage, "a prompt is missing, and stdin is empty; {}", help);
  options.asked_at = seconds_since_start();
  return {};
}

// Piped text comes before the prompt, separated by a blank line, as in Ollama and llm: the text, then the question.
void add_stdin_to_prompt(RunOptions& options) {
  std::string text = read_extra_stdin();
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return;
  options.asked_at = seconds_since_start();
  options.prompt = options.prompt.empty() ? std::move(text) : text + "\n\n" + options.prompt;
}

// Tells MODEL from prompt, and brings the prompt together. Errors: usage.
Result<> sort_positional(RunOptions& options, bool prompt_given) {
  auto& rest = options.positional;
  if (rest.size() > 2)
    return fail(ErrorCode::usage, "{} arguments, where a model and a prompt are expected; put quotes around the prompt",
                rest.size());
  std::string taken_for_model;
  const auto take_front = [&] {
    std::string text = rest.front();
    rest.erase(rest.begin());
    return text;
  };
  if (!rest.empty() && (rest.size() == 2 || prompt_given || names_a_model(rest.front())))
    options.model.model = take_front();
  if (rest.empty() && !prompt_given) taken_for_model = options.model.model;
  if (!rest.empty() && !prompt_given) {
    options.prompt = take_front();
    prompt_given = true;
  }
  if (!rest.empty())
    return fail(ErrorCode::usage, "the prompt is given twice, by --prompt and as {}", in_quotes(rest.front()));
  if (!prompt_given) return read_prompt(options, taken_for_model);
  add_stdin_to_prompt(options);
  return {};
}

Result<std::vector<TokenId>> make_prompt(const Engine& engine, const RunOptions& options) {
  const Tokenizer& tokenizer = *OGAS_TRY(engine.text().tokenizer_or_error());
  if (options.raw)
    return tokenizer.encode(options.prompt, {.parse_special = options.chat.parse_special, .add_special = true});
  if (!engine.text().chat_template())
    return fail(ErrorCode::unsupported,
                "{}; --chat-template plain uses a simple one, and --raw completes the text without",
                engine.text().chat_template_error());
  auto messages = nlohmann::ordered_json::array();
  if (!options.system.empty()) messages.push_back({{"role", "system"}, {"content", options.system}});
  messages.push_back({{"role", "user"}, {"content", options.prompt}});
  return encode_conversation(engine, messages, options.chat);
}

// [{"id": 9, "token": " the", "logprob": -0.5, "top_logprobs": [{"id": 9, "token": " the", "logprob": -0.5}, ...]},
// ...]
nlohmann::ordered_json logprobs_json(const Tokenizer& tokenizer, const Answer& answer) {
  const auto entry = [&](TokenId id, float logprob) -> nlohmann::ordered_json {
    return {{"id", id}, {"token", tokenizer.bytes_of(id)}, {"logprob", logprob}};
  };
  auto all = nlohmann::ordered_json::array();
  for (size_t idx = 0; idx < answer.logprobs.size(); ++idx) {
    auto token = entry(answer.tokens[idx], answer.logprobs[idx].chosen);
    auto& top = token["top_logprobs"] = nlohmann::ordered_json::array();
    for (const auto& [id, logprob] : answer.logprobs[idx].top) top.push_back(entry(id, logprob));
    all.push_back(std::move(token));
  }
  return all;
}

void print_json(const Engine& engine, const Request& request, const Answer& answer, const ModelReply& reply,
                double load_seconds) {
  nlohmann::ordered_json json = {
      {"model", engine.file().path().filename().string()},
      {"text", reply.content()},
      {"reasoning", reply.reasoning()},
      {"tokens", answer.tokens},
      {"finish_reason", name_of(answer.finish)},
  };
  add_figures(json, answer.stats, &AnswerFigure::run_json);
  json["timings"]["load_s"] = load_seconds;
  json["seed"] = request.sampling.seed;
  json["peak_rss_bytes"] = peak_memory();
  json["threads"] = engine.options().n_threads;
  json["instruction_set"] = engine.isa();
  if (engine.options().takes_fewer_experts())
    json["fewer_experts"] = {{"a_token", engine.facts().n_expert_used},
                             {"min_expert_weight", engine.options().min_expert_weight}};
  if (const auto experts = expert_stats(engine)) json["experts"] = experts_json(*experts);
  if (request.sampling.wants_logprobs()) json["logprobs"] = logprobs_json(*engine.text().tokenizer(), answer);
  write_json(json);
}

Result<int> run(RunOptions& options, bool prompt_given) {
  OGAS_TRY(sort_positional(options, prompt_given));
  const auto grammar = OGAS_TRY(options.grammar.source());
  const auto engine = OGAS_TRY(options.model.load(options.chat));
  const double load_seconds = seconds_since_start() - options.asked_at;
  options.answer.take_recommended(options.model.recommended_sampling(*engine));
  Request request = options.answer.make_request(OGAS_TRY(make_prompt(*engine, options)), *engine->text().tokenizer());
  request.sampling.report_logprob = options.n_logprobs.has_value();
  request.sampling.n_logprobs = options.n_logprobs.value_or(0);
  if (options.chat.is_plain() && !grammar) request.stop.emplace_back(kPlainStop);
  engine->text().start_answer(request);
  if (grammar) OGAS_TRY(engine->text().constrain(request, {.content = *grammar}));
  ReplyPrinter printer(options.hides_thinking);
  AnswerReader reader = options.raw ? AnswerReader() : AnswerReader(request.start);
  ModelReply reply(std::move(reader), [&](std::string_view reasoning, std::string_view content) {
    if (!options.json) printer.print(reasoning, content);
  });
  reply.watch(request);
  const ExpertsReport experts(*engine, request);
  auto session = engine->new_session();
  const double submitted = seconds_since_start() - options.asked_at;
  const AnswerInProgress in_progress(*engine);
  Answer answer = OGAS_TRY(engine->generate(*session, request));
  answer.stats.first_token_seconds += submitted;  // as the person waited for it
  reply.finish();
  if (options.json)
    print_json(*engine, request, answer, reply, load_seconds);
  else
    write_stdout("\n");
  if (!options.json && reply.is_cut_in_reasoning(answer.finish))
    write_stderr(style_stderr(Style::dim, kCutInReasoning) + "\n");
  if (!options.quiet && !options.json) {
    std::string text = describe_answer(answer.stats);
    for (const std::string& line : experts.lines(answer_figure("answer_seconds").value(answer.stats)))
      text += "\n" + line;
    write_stderr(style_stderr(Style::dim, text) + "\n");
  }
  engine->kv().flush_prefixes();
  if (answer.finish == FinishReason::cancelled) return kInterrupted;
  if (!grammar || answer.finish == FinishReason::stop) return kSuccess;
  write_stderr(fmt::format("ogas: error: the answer was cut ({}) before it had the form that was asked for\n",
                           name_of(answer.finish)));
  return kFailure;
}

}  // namespace

void add_run(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* run_app = app.add_subcommand("run", "Answer one prompt on stdout");
  run_app->add_option("MODEL PROMPT", options->positional, "Model (file or name; default: the small one) and prompt")
      ->expected(0, -1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option* prompt =
      run_app->add_option("-p,--prompt", options->prompt, "The prompt; text on stdin is put before it");
  run_app->add_option("--system", options->system, "System message before the prompt");
  run_app->add_flag("--raw,--no-template", options->raw, "Complete the text without the chat template");
  CLI::Option* json = run_app->add_flag(
      "--json", options->json, "One JSON object with text, reasoning, tokens and timings instead of streamed text");
  run_app
      ->add_option("--logprobs", options->n_logprobs,
                   "With --json: log-probabilities of each token and of the N most probable alternatives")
      ->type_name("N")
      ->check(whole_number(0, std::numeric_limits<uint32_t>::max()))
      ->needs(json);
  run_app->add_flag("-q,--quiet", options->quiet, "No statistics on stderr");
  add_hide_thinking_to(*run_app, options->hides_thinking);
  options->model.add_to(*run_app);
  options->model.add_prefix_cache_to(*run_app);
  options->chat.add_to(*run_app);
  options->answer.add_to(*run_app);
  options->grammar.add_to(*run_app);
  run_app->footer(
      "Text on stdin, from a pipe or a file, is put before the prompt, with a blank line between them. A pipe in "
      "which\n"
      "nothing arrives for 10 s is ignored. In a loop that reads stdin itself, use < /dev/null.\n"
      "Reasoning is shown dimmed on a terminal; it is not written to a file or a pipe.\n"
      "Examples:\n"
      "  ogas run \"Why is the sky blue?\"\n"
      "  ogas run model.gguf \"Write a haiku\" --seed 7 -n 64\n"
      "  git diff | ogas run \"Summarise this change:\" --json\n"
      "  ogas run -p - --system \"Be brief.\" < question.txt\n"
      "  ogas run \"Who wrote Faust?\" --schema person.json\n"
      "  ogas run \"Is the sky blue?\" --choice yes --choice no\n"
      "  ogas run --raw --greedy \"The capital of France is\" -n 8");
  run_app->callback([options, prompt, &chosen] {
    chosen = [options, given = prompt->count() > 0] {
      // "-p -" reads stdin, as elsewhere.
      const bool from_stdin = given && options->prompt == "-";
      const auto code = run(*options, given && !from_stdin);
      return code ? *code : report(code.error());
    };
  });
}

}  // namespace ogas::cli
