// ogas chat: a conversation in the terminal.
#include <algorithm>
#include <iterator>

#include "base/file.h"
#include "base/memory.h"
#include "base/quote.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/exit_code.h"
#include "cli/line_editor.h"
#include "cli/signals.h"
#include "cli/suggest.h"
#include "cli/terminal.h"

namespace ogas::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  TemplateOptions chat;
  AnswerOptions answer;
  std::string system, load;
  bool quiet = false;
};

void say(std::string_view text) { write_stderr(style_stderr(Style::dim, printable_line(text)) + "\n"); }

// "~/x" as shells read it.
std::filesystem::path expand_home(std::string_view text) {
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home) return std::filesystem::path(home) / text.substr(2);
  return text;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

class Chat {
 public:
  Chat(Engine& engine, const ChatOptions& options)
      : engine_(engine), options_(options), session_(engine.new_session()), editor_(history_path()) {
    conversation_.system = options.system;
    conversation_.settings = options.answer;
    conversation_.settings.take_recommended(options.model.recommended_sampling(engine));
  }

  Result<> load(std::string_view path);
  // Until the end of the input; returns the exit code.
  int talk();

 private:
  struct Command {
    std::string_view name, argument, help;
    Result<> (Chat::*run)(std::string_view argument);
  };
  static const Command kCommands[];

  void greet() const;
  Result<> answer(std::string_view text);
  Result<> generate();
  Result<> run_command(std::string_view text);

  Result<> help(std::string_view);
  Result<> system(std::string_view text);
  Result<> save(std::string_view path);
  Result<> set(std::string_view argument);
  Result<> stats(std::string_view);
  Result<> retry(std::string_view);
  Result<> clear(std::string_view);
  Result<> leave(std::string_view);

  Engine& engine_;
  const ChatOptions& options_;
  Engine::SessionPtr session_;
  LineEditor editor_;
  Conversation conversation_;
  AnswerStats last_, total_;  // total_: tokens and seconds of all answers
  bool leaving_ = false;
};

const Chat::Command Chat::kCommands[] = {
    {"/help", "", "this list", &Chat::help},
    {"/system", "[TEXT]", "show or change the system message, and start anew", &Chat::system},
    {"/set", "[NAME VALUE]", "show or change settings: /set temperature 0.2", &Chat::set},
    {"/retry", "", "answer the last message again", &Chat::retry},
    {"/clear", "", "forget the conversation", &Chat::clear},
    {"/save", "FILE", "write the conversation and its settings to a JSON file", &Chat::save},
    {"/load", "FILE", "go on with a saved conversation", &Chat::load},
    {"/stats", "", "tokens, speed, context and memory so far", &Chat::stats},
    {"/exit", "", "end (Ctrl-D does it too)", &Chat::leave},
};

Result<> Chat::help(std::string_view) {
  std::string text;
  for (const Command& command : kCommands)
    text += fmt::format("{:<22} {}\n", fmt::format("{} {}", command.name, command.argument), command.help);
  text +=
      "\nAlt-Enter, or a backslash at the end of a line, begins another line; a paste keeps its lines.\n"
      "Ctrl-C stops an answer; at an empty prompt it ends the program. A message that begins with / is written //.\n";
  write_stdout(text);
  return {};
}

Result<> Chat::system(std::string_view text) {
  if (text.empty()) {
    write_stdout((conversation_.system.empty() ? "(no system message)" : conversation_.system) + "\n");
    return {};
  }
  conversation_.system = std::string(text);
  return clear({});
}

Result<> Chat::set(std::string_view argument) {
  const size_t space = argument.find_first_of(" =");
  if (space == std::string_view::npos) {
    std::string text;
    for (const Setting& setting : all_settings())
      if (argument.empty() || argument == setting.name)
        text += fmt::format("{:<18}  {:<6} {}\n", setting.name, show_setting(conversation_.settings, setting.name),
                            setting.help);
    if (text.empty()) return change_setting(conversation_.settings, argument, {});  // says which there are
    write_stdout(text);
    return {};
  }
  return change_setting(conversation_.settings, argument.substr(0, space), trim(argument.substr(space + 1)));
}

Result<> Chat::save(std::string_view path) {
  if (path.empty()) return fail(ErrorCode::usage, "/save needs a file name");
  const std::string model = engine_.file().path().filename().string();
  const std::string text = conversation_.to_json(model).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto file = expand_home(path);
  std::error_code error;
  // Replacing a device by a file would break the machine it belongs to.
  if (std::filesystem::exists(file, error) && !std::filesystem::is_regular_file(file, error))
    return fail(ErrorCode::usage, "{} is there and is no regular file", in_quotes(path));
  OGAS_TRY(write_file_atomically(file, text + "\n"));
  say(fmt::format("saved {} messages to {}", conversation_.messages.size(), path));
  return {};
}

Result<> Chat::load(std::string_view path) {
  if (path.empty()) return fail(ErrorCode::usage, "/load needs a file name");
  const std::string text = OGAS_TRY(read_file(expand_home(path), size_t{64} << 20));
  auto loaded = Conversation::from_json(text, conversation_.settings);
  if (!loaded) return fail_within(loaded.error(), "{}", path);
  conversation_ = *std::move(loaded);
  say(fmt::format("{} messages from {}", conversation_.messages.size(), path));
  return {};
}

Result<> Chat::stats(std::string_view) {
  const uint64_t n_held = Engine::tokens_of(*session_).size();
  const uint32_t n_ctx = engine_.options().n_ctx;
  const auto line = [](std::string_view name, const std::string& value) {
    return fmt::format("{:<16} {}\n", name, value);
  };
  std::string text = line("model", engine_.file().path().filename().string());
  text += line("computing with", fmt::format("{}, {} threads", engine_.isa(), engine_.n_threads()));
  text += line("context",
               fmt::format("{} of {} tokens ({:.0f}%)", n_held, n_ctx, 100.0 * static_cast<double>(n_held) / n_ctx));
  text += line("keys and values", format_bytes(engine_.kv_bytes_used()));
  text += line("peak memory", format_bytes(peak_memory()));
  text += line("all answers", fmt::format("{} prompt tokens ({} remembered), {} generated", total_.n_prompt,
                                          total_.n_cached, total_.n_generated));
  if (last_.n_generated > 0) text += line("last answer", describe_stats(last_, last_.first_token_seconds));
  write_stdout(text);
  return {};
}

Result<> Chat::retry(std::string_view) {
  auto& messages = conversation_.messages;
  const auto before = messages;
  if (!messages.empty() && messages.back()["role"] == "assistant") messages.erase(messages.size() - 1);
  if (messages.empty()) return fail(ErrorCode::usage, "there is no message to answer yet");
  auto result = generate();
  if (!result) messages = before;
  return result;
}

Result<> Chat::clear(std::string_view) {
  conversation_.messages = nlohmann::ordered_json::array();
  session_ = engine_.new_session();
  say("a new conversation");
  return {};
}

Result<> Chat::leave(std::string_view) {
  leaving_ = true;
  return {};
}

Result<> Chat::run_command(std::string_view text) {
  const std::string_view name = text.substr(0, text.find_first_of(" \t\n"));
  if (name == "/quit" || name == "/bye") return leave({});
  for (const Command& command : kCommands)
    if (command.name == name) return (this->*command.run)(trim(text.substr(name.size())));
  std::vector<std::string> names;
  std::ranges::transform(kCommands, std::back_inserter(names), [](const Command& c) { return std::string(c.name); });
  const auto near = closest(name, names);
  return fail(ErrorCode::usage, "there is no command {}; {}", in_quotes(name),
              near ? fmt::format("did you mean {}?", *near) : "/help lists them");
}

// What the conversation asks for, streamed to stdout. On an error the conversation is as it was.
Result<> Chat::generate() {
  ChatTemplateInput input{};
  input.messages = conversation_.all_messages();
  auto prompt = OGAS_TRY(engine_.encode_chat(input, {.special_in_input = options_.chat.parse_special}));
  Request request = conversation_.settings.make_request(std::move(prompt), *engine_.tokenizer());
  if (options_.chat.is_plain()) request.stop.emplace_back(kPlainStop);
  request.on_text = write_foreign;
  const AnswerInProgress in_progress(engine_);
  auto result = engine_.generate(*session_, request);
  if (!result && request.prompt.size() > engine_.options().n_ctx)
    return fail(ErrorCode::usage, "{}; /clear begins anew, a larger --ctx holds more", result.error().message);
  const Answer answer = OGAS_TRY(std::move(result));
  write_stdout("\n");
  conversation_.messages.push_back({{"role", "assistant"}, {"content", answer.text}});
  last_ = answer.stats;
  total_.n_prompt += last_.n_prompt;
  total_.n_cached += last_.n_cached;
  total_.n_generated += last_.n_generated;
  if (!options_.quiet) say(describe_stats(last_, last_.first_token_seconds));
  if (answer.finish == FinishReason::cancelled) say("(stopped; what came so far stays in the conversation)");
  if (answer.finish == FinishReason::length && Engine::tokens_of(*session_).size() >= engine_.options().n_ctx)
    say("(the context is full: /clear begins anew, a larger --ctx holds more)");
  return {};
}

Result<> Chat::answer(std::string_view text) {
  conversation_.messages.push_back({{"role", "user"}, {"content", text}});
  auto result = generate();
  if (!result) conversation_.messages.erase(conversation_.messages.size() - 1);
  return result;
}

void Chat::greet() const {
  if (!stdin_is_terminal()) return;
  say(fmt::format("{} · {} · context {} · /help, Ctrl-D ends", engine_.file().path().stem().string(),
                  format_bytes(engine_.file().total_bytes()), engine_.options().n_ctx));
}

int Chat::talk() {
  int exit_code = kSuccess;
  greet();
  while (!leaving_) {
    const Line line = editor_.read("> ");
    if (line.status == LineStatus::end) break;
    if (line.status == LineStatus::interrupted) {
      if (trim(line.text).empty()) return kInterrupted;
      continue;
    }
    const std::string_view text = trim(line.text);
    if (text.empty()) continue;
    const bool is_command = text.starts_with('/') && !text.starts_with("//");
    const auto result = is_command ? run_command(text) : answer(text.starts_with("//") ? text.substr(1) : text);
    if (result) continue;
    const int code = report(result.error());
    // A person has seen it; a script looks at how the program ends.
    if (!stdin_is_terminal()) exit_code = code;
  }
  return exit_code;
}

Result<int> chat(const ChatOptions& options) {
  const auto engine = OGAS_TRY(options.model.load(options.chat));
  if (!engine->tokenizer()) return std::unexpected(engine->tokenizer_or_error().error());
  if (!engine->chat_template())
    return fail(ErrorCode::unsupported,
                "{}; --chat-template plain uses a simple one, and ogas run --raw completes text without",
                engine->chat_template_error());
  Chat chat(*engine, options);
  if (!options.load.empty()) OGAS_TRY(chat.load(options.load));
  return chat.talk();
}

}  // namespace

void add_chat(CLI::App& app, cli::Command& chosen) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* chat_app = app.add_subcommand("chat", "Talk with a model in the terminal");
  chat_app->add_option("MODEL", options->model.model, "Model, as a file or a name (default: the small one)");
  chat_app->add_option("--system", options->system, "System message before the conversation");
  chat_app->add_option("--load", options->load, "Go on with a conversation saved by /save");
  chat_app->add_flag("-q,--quiet", options->quiet, "No statistics after each answer");
  options->model.add_to(*chat_app);
  options->model.add_prefix_cache_to(*chat_app);
  options->chat.add_to(*chat_app);
  options->answer.add_to(*chat_app);
  chat_app->footer(
      "Type /help for the commands of a conversation. Where stdin is no terminal each of its lines is a message.\n"
      "Examples:\n"
      "  ogas chat\n"
      "  ogas chat model.gguf --system \"You answer in rhymes\" --temp 0.5\n"
      "  printf 'Name a colour.\\nAnother one.\\n' | ogas chat -q");
  when_asked(chat_app, chosen, options, chat);
}

}  // namespace ogas::cli
