// ogas chat: a conversation in the terminal.
#include <algorithm>
#include <iterator>

#include "base/ascii.h"
#include "base/file.h"
#include "base/quote.h"
#include "cli/chat/conversation.h"
#include "cli/chat/engine_backend.h"
#include "cli/chat/server_backend.h"
#include "cli/commands/commands.h"
#include "cli/options/did_you_mean.h"
#include "cli/options/grammar_options.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/line_editor.h"
#include "cli/terminal/reply_printer.h"
#include "cli/terminal/terminal.h"
#include "engine/answer_figures.h"
#include "engine/kv_manager.h"

namespace ogas::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  TemplateOptions chat;
  AnswerOptions answer;
  std::string server;  // URL; empty: a model in this process
  std::string system, load;
  bool quiet = false, hides_thinking = false;
};

void say(std::string_view text) { write_stderr(style_stderr(Style::dim, printable_line(text)) + "\n"); }

// "~/x" as shells read it.
std::filesystem::path expand_home(std::string_view text) {
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home) return std::filesystem::path(home) / text.substr(2);
  return text;
}

class Chat {
 public:
  Chat(ChatBackend& backend, AnswerOptions settings, const ChatOptions& options)
      : backend_(backend), options_(options), editor_(history_path()) {
    conversation_.server = options.server;
    conversation_.system = options.system;
    conversation_.settings = std::move(settings);
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
  Result<> schema(std::string_view path);
  Result<> stats(std::string_view);
  Result<> retry(std::string_view);
  Result<> clear(std::string_view);
  Result<> leave(std::string_view);

  std::string show(std::string_view setting) const;

  ChatBackend& backend_;
  const ChatOptions& options_;
  LineEditor editor_;
  Conversation conversation_;
  Reply last_;
  AnswerStats total_;  // tokens of all answers
  bool leaving_ = false;
};

const Chat::Command Chat::kCommands[] = {
    {"/help", "", "this list", &Chat::help},
    {"/system", "[TEXT]", "show the system message, or change it and start a new conversation", &Chat::system},
    {"/set", "[NAME VALUE]", "show or change settings: /set temperature 0.2", &Chat::set},
    {"/schema", "[FILE]", "show the JSON Schema that answers keep to, or change it; /schema off: none", &Chat::schema},
    {"/retry", "", "answer the last message again", &Chat::retry},
    {"/clear", "", "forget the conversation", &Chat::clear},
    {"/save", "FILE", "write the conversation and its settings to a JSON file", &Chat::save},
    {"/load", "FILE", "continue a saved conversation", &Chat::load},
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

std::string Chat::show(std::string_view setting) const {
  const bool is_known = conversation_.server.empty() || conversation_.settings.given.contains(setting);
  return is_known ? show_setting(conversation_.settings, setting) : "server";
}

Result<> Chat::set(std::string_view argument) {
  const size_t space = argument.find_first_of(" =");
  if (space == std::string_view::npos) {
    std::string text;
    for (const Setting& setting : all_settings())
      if (argument.empty() || argument == setting.name)
        text += fmt::format("{:<18}  {:<6} {}\n", setting.name, show(setting.name), setting.help);
    if (text.empty()) return change_setting(conversation_.settings, argument, {});  // says which there are
    write_stdout(text);
    return {};
  }
  const std::string_view name = argument.substr(0, space), value = trim_blank(argument.substr(space + 1));
  if (value == "server" && !conversation_.server.empty() && conversation_.settings.given.erase(std::string(name)) > 0)
    return {};
  return change_setting(conversation_.settings, name, value);
}

Result<> Chat::schema(std::string_view path) {
  if (path.empty()) {
    const std::string_view shown = conversation_.schema.empty() ? "(no schema)" : trim_blank(conversation_.schema);
    write_foreign(std::string(shown) + "\n");
    return {};
  }
  if (path == "off") {
    conversation_.schema.clear();
    return {};
  }
  const auto set = conversation_.set_schema(OGAS_TRY(read_file(expand_home(path), kMaxGrammarFile)));
  return set ? Result<>() : fail_within(set.error(), "{}", path);
}

Result<> Chat::save(std::string_view path) {
  if (path.empty()) return fail(ErrorCode::usage, "/save needs a file name");
  const std::string text =
      conversation_.to_json(backend_.model()).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto file = expand_home(path);
  std::error_code error;
  // Replacing a device by a file would break the machine it belongs to.
  if (std::filesystem::exists(file, error) && !std::filesystem::is_regular_file(file, error))
    return fail(ErrorCode::usage, "{} exists and is not a regular file", in_quotes(path));
  OGAS_TRY(write_file_atomically(file, text + "\n"));
  say(fmt::format("saved {} messages to {}", conversation_.messages.size(), path));
  return {};
}

Result<> Chat::load(std::string_view path) {
  if (path.empty()) return fail(ErrorCode::usage, "/load needs a file name");
  const std::string text = OGAS_TRY(read_file(expand_home(path), size_t{64} << 20));
  auto loaded = Conversation::from_json(text, conversation_.settings, conversation_.server);
  if (!loaded) return fail_within(loaded.error(), "{}", path);
  conversation_ = *std::move(loaded);
  say(fmt::format("{} messages from {}", conversation_.messages.size(), path));
  return {};
}

Result<> Chat::stats(std::string_view) {
  std::string text;
  const auto add = [&](std::string_view name, std::string_view value) {
    text += fmt::format("{:<16} {}\n", name, value);
  };
  for (const auto& [name, value] : backend_.facts()) add(name, value);
  const auto total = [&](std::string_view figure) { return answer_figure(figure).text(total_); };
  add("all answers", fmt::format("{} prompt tokens ({} remembered), {} generated", total("n_prompt"), total("n_cached"),
                                 total("n_generated")));
  if (!last_.line.empty()) add("last answer", last_.line);
  for (const std::string& line : last_.details) add("", line);
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
  backend_.forget();
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
    if (command.name == name) return (this->*command.run)(trim_blank(text.substr(name.size())));
  std::vector<std::string> names;
  std::ranges::transform(kCommands, std::back_inserter(names), [](const Command& c) { return std::string(c.name); });
  const auto near = closest(name, names);
  return fail(ErrorCode::usage, "there is no command {}; {}", in_quotes(name),
              near ? fmt::format("did you mean {}?", *near) : "/help lists them");
}

// What the conversation asks for, streamed to stdout. On an error the conversation is as it was.
Result<> Chat::generate() {
  last_ = OGAS_TRY(backend_.answer(conversation_));
  conversation_.messages.push_back({{"role", "assistant"}, {"content", last_.text}});
  add_counts(total_, last_.stats, /*is_same_prompt=*/false);
  if (!options_.quiet && !last_.line.empty()) say(last_.line);
  if (!options_.quiet) std::ranges::for_each(last_.details, say);
  for (const std::string& note : last_.notes) say(note);
  return {};
}

Result<> Chat::answer(std::string_view text) {
  conversation_.messages.push_back({{"role", "user"}, {"content", text}});
  auto result = generate();
  if (!result) conversation_.messages.erase(conversation_.messages.size() - 1);
  return result;
}

void Chat::greet() const {
  if (stdin_is_terminal()) say(backend_.greeting() + " · /help, Ctrl-D ends");
}

int Chat::talk() {
  int exit_code = kSuccess;
  greet();
  while (!leaving_) {
    const Line line = editor_.read("> ");
    if (line.status == LineStatus::end) break;
    if (line.status == LineStatus::interrupted) {
      if (trim_blank(line.text).empty()) return kInterrupted;
      continue;
    }
    const std::string_view text = trim_blank(line.text);
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

Result<int> talk_with(ChatBackend& backend, AnswerOptions settings, const ChatOptions& options) {
  Chat chat(backend, std::move(settings), options);
  if (!options.load.empty()) OGAS_TRY(chat.load(options.load));
  return chat.talk();
}

Result<int> chat(const ChatOptions& options) {
  if (!options.server.empty()) {
    const auto backend = OGAS_TRY(ServerBackend::create(options.server, options.model.model, options.hides_thinking));
    return talk_with(*backend, options.answer, options);
  }
  const auto engine = OGAS_TRY(options.model.load(options.chat));
  OGAS_TRY(engine->text().tokenizer_or_error());
  if (!engine->text().chat_template())
    return fail(ErrorCode::unsupported,
                "{}; --chat-template plain uses a simple one, and ogas run --raw completes text without",
                engine->text().chat_template_error());
  AnswerOptions settings = options.answer;
  settings.take_recommended(options.model.recommended_sampling(*engine));
  EngineBackend backend(*engine, options.chat, options.hides_thinking);
  auto code = talk_with(backend, std::move(settings), options);
  engine->kv().flush_prefixes();  // a conversation that is loaded again continues from these
  return code;
}

}  // namespace

void add_chat(CLI::App& app, cli::Command& chosen) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* chat_app = app.add_subcommand("chat", "Chat with a model in the terminal");
  chat_app->add_option("MODEL", options->model.model, "Model, as a file or a name (default: the small one)");
  CLI::Option* server = chat_app->add_option("--server", options->server,
                                             "Use a server with OpenAI's API; MODEL is the model's name there");
  server->type_name("URL")->check(some_text());
  chat_app->add_option("--system", options->system, "System message before the conversation");
  chat_app->add_option("--load", options->load, "Continue a conversation saved by /save");
  chat_app->add_flag("-q,--quiet", options->quiet, "No statistics after each answer");
  add_hide_thinking_to(*chat_app, options->hides_thinking);
  const size_t n_common = chat_app->get_options().size();
  options->model.add_to(*chat_app);
  options->model.add_prefix_cache_to(*chat_app);
  options->chat.add_to(*chat_app);
  const auto all = chat_app->get_options();
  std::vector<CLI::Option*> local(all.begin() + static_cast<ptrdiff_t>(n_common), all.end());
  options->answer.add_to(*chat_app);
  for (const char* name : {"--context-shift", "--keep", "--require-token"}) local.push_back(chat_app->get_option(name));
  for (CLI::Option* option : local) server->excludes(option);
  chat_app->footer(
      "Type /help for the commands of a conversation. If stdin is not a terminal, each line is a message.\n"
      "Reasoning is shown dimmed on a terminal; only the answer is kept in the conversation.\n"
      "A server is sent the settings that were given, by option or /set; /set NAME server leaves one to it again.\n"
      "Its key is taken from OGAS_API_KEY or, over https or on this machine, from OPENAI_API_KEY.\n"
      "Examples:\n"
      "  ogas chat\n"
      "  ogas chat model.gguf --system \"You answer in rhymes\" --temp 0.5\n"
      "  printf 'Name a colour.\\nAnother one.\\n' | ogas chat -q\n"
      "  ogas chat --server localhost:8080\n"
      "  OGAS_API_KEY=... ogas chat --server https://api.example.com/v1 some-model --max-tokens 500");
  when_asked(chat_app, chosen, options, chat);
}

}  // namespace ogas::cli
