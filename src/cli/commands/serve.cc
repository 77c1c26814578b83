// ogas serve: a model for OpenAI's clients, over HTTP.
#include <unistd.h>

#include <charconv>

#include "base/log.h"
#include "base/quote.h"
#include "cli/commands/commands.h"
#include "cli/options/add_setting.h"
#include "cli/options/help.h"
#include "cli/options/model_path.h"
#include "cli/terminal/exit_code.h"
#include "cli/terminal/terminal.h"
#include "engine/kv_manager.h"
#include "server/server.h"

namespace ogas::cli {
namespace {

struct ServeOptions {
  ModelOptions model;
  TemplateOptions chat;
  server::ServerOptions server;
  std::vector<std::string> aliases;
  std::string key_file, certificate, certificate_key;
  uint32_t grace_seconds = 30, read_seconds = 60, write_seconds = 30, idle_seconds = 75;
  std::optional<uint64_t> body_bytes;
  uint64_t n_connections = 1024;
  bool quiet = false, log_json = false;
};

// Sockets that a service manager listens on for us (sd_listen_fds(3)).
std::vector<int> handed_over_sockets() {
  const auto number = [](const char* name) {
    const char* text = std::getenv(name);
    int value = 0;
    if (text) std::from_chars(text, text + std::string_view(text).size(), value);
    return value;
  };
  constexpr int kFirst = 3;
  std::vector<int> sockets;
  if (number("LISTEN_PID") == ::getpid())
    for (int idx = 0; idx < number("LISTEN_FDS"); ++idx) sockets.push_back(kFirst + idx);
  return sockets;
}

// What was asked is in it only where --log-prompts says so, what was answered never.
void log_line(const server::HttpRecord& record, bool as_json) {
  if (as_json) {
    nlohmann::ordered_json line = {{"time", server::time_text(server::unix_time())},
                                   {"id", record.id},
                                   {"peer", record.peer},
                                   {"client", record.client},
                                   {"method", record.method},
                                   {"path", record.path},
                                   {"status", record.status},
                                   {"request_bytes", record.request_bytes},
                                   {"reply_bytes", record.reply_bytes},
                                   {"seconds", record.seconds}};
    if (!record.body.empty()) line["body"] = record.body;
    return write_stderr(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
  write_stderr(fmt::format("{} {} {}{} {} {} {} {:.3f} s {} B\n", server::time_text(server::unix_time()), record.id,
                           record.peer, record.client.empty() ? "" : " (" + printable_line(record.client) + ")",
                           record.method, printable_line(record.path), record.status, record.seconds,
                           record.reply_bytes));
  if (!record.body.empty()) write_stderr(fmt::format("  {}\n", printable_line(record.body)));
}

server::ServerOptions server_options(const ServeOptions& options, const Engine& engine) {
  server::ServerOptions server = options.server;
  server.api.names = options.aliases;
  const std::string name = name_of_model(engine.file().path());
  if (std::ranges::find(server.api.names, name) == server.api.names.end()) server.api.names.push_back(name);
  server.api.sampling = options.model.recommended_sampling(engine);
  server.http.sockets = handed_over_sockets();
  server.http.certificate = options.certificate;
  server.http.certificate_key = options.certificate_key;
  server.http.limits.n_connections = options.n_connections;
  if (options.body_bytes) server.http.limits.body_bytes = *options.body_bytes;
  server::HttpLimits& limits = server.http.limits;
  limits.body_time = std::chrono::seconds(options.read_seconds);
  limits.header_time = std::min(limits.header_time, limits.body_time);
  limits.write_time = std::chrono::seconds(options.write_seconds);
  limits.idle_time = std::chrono::seconds(options.idle_seconds);
  server.key_file = options.key_file;
  if (const char* keys = std::getenv("OGAS_API_KEY")) server.keys = keys;
  server.grace = std::chrono::seconds(options.grace_seconds);
  if (!options.quiet)
    server.log = [as_json = options.log_json](const server::HttpRecord& record) { log_line(record, as_json); };
  return server;
}

Result<int> serve(const ServeOptions& options) {
  const auto engine = OGAS_TRY(options.model.load(options.chat));
  const auto server = OGAS_TRY(server::Server::create(*engine, server_options(options, *engine)));
  if (server->is_open() && !server->is_local())
    spdlog::warn("anybody who reaches {} may ask: --api-keys FILE or OGAS_API_KEY asks for a key", server->url());
  write_stderr(fmt::format("ogas: serving {} at {} (OpenAI's API at {}/v1); Ctrl-C ends\n",
                           engine->file().path().filename().string(), server->url(), server->url()));
  server->run();
  engine->kv().flush_prefixes();
  return kSuccess;
}

constexpr const char* kServerGroup = "Server";

void add_address(CLI::App& app, ServeOptions& options) {
  app.add_option("--host", options.server.http.host, "Address to listen on; 0.0.0.0: all addresses of this machine")
      ->group(kServerGroup)
      ->capture_default_str();
  app.add_option("-p,--port", options.server.http.port, "Port to listen on; 0: any free one")
      ->group(kServerGroup)
      ->type_name("N")
      ->check(whole_number(0, 65535))
      ->capture_default_str();
  const auto add_names = [&](const char* name, std::vector<std::string>& values, const char* text) {
    return app.add_option(name, values, text)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false)
        ->group(kServerGroup);
  };
  add_names("--alias", options.aliases,
            "Further name of the model, listed before its file's name; may be given several times");
  app.add_option("--api-keys", options.key_file, "File of keys, a line each: KEY name=... tokens_per_minute=...")
      ->group(kServerGroup)
      ->type_name("FILE");
  app.add_option("--tls-cert", options.certificate, "Certificate chain (PEM): HTTPS instead of HTTP")
      ->group(kServerGroup)
      ->type_name("FILE");
  app.add_option("--tls-key", options.certificate_key, "Its key (PEM)")->group(kServerGroup)->type_name("FILE");
  add_names("--cors-origin", options.server.origins,
            "Origin of web pages that may send requests; *: all (default: none of the web)");
  add_names("--allow-host", options.server.hosts, "Host name that requests may use; *: any");
}

void add_limits(CLI::App& app, ServeOptions& options) {
  for (const SchedulerSetting& setting : scheduler_settings())
    add_setting(app, setting, options.server.scheduler)->group(kServerGroup);
  app.add_option("--connections", options.n_connections, "Maximum number of connections")
      ->group(kServerGroup)
      ->type_name("N")
      ->check(whole_number(1, 1'000'000))
      ->capture_default_str();
  add_size(app, "--max-body", options.body_bytes, "Maximum size of a request body (default: 32M)");
  const auto add_seconds = [&](const char* name, uint32_t& value, const char* text) {
    app.add_option(name, value, text)
        ->group(kServerGroup)
        ->type_name("S")
        ->check(whole_number(1, 86400))
        ->capture_default_str();
  };
  add_seconds("--read-timeout", options.read_seconds, "Seconds a request may take to arrive; its header: at most 10");
  add_seconds("--write-timeout", options.write_seconds, "Seconds a client may take to read a part of an answer");
  add_seconds("--idle-timeout", options.idle_seconds, "Seconds a connection stays open between two requests");
  add_seconds("--grace", options.grace_seconds, "Seconds that running answers get on shutdown");
  app.add_flag("--native-tools-only", options.server.api.native_tools_only,
               "Refuse tools where the model's chat template does not support them (default: describe them in the "
               "system's message)")
      ->group(kServerGroup);
  app.add_flag("-q,--quiet", options.quiet, "Do not log requests")->group(kServerGroup);
  app.add_flag("--log-prompts", options.server.http.logs_bodies, "Also log the prompts")->group(kServerGroup);
  app.add_flag("--log-json", options.log_json, "Write these lines as JSON")->group(kServerGroup);
}

}  // namespace

void add_serve(CLI::App& app, cli::Command& chosen) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* serve_app = app.add_subcommand("serve", "Serve a model over HTTP with OpenAI's API");
  serve_app->add_option("MODEL", options->model.model, "Model, as a file or a name (default: the small one)");
  add_address(*serve_app, *options);
  add_limits(*serve_app, *options);
  options->model.add_to(*serve_app);
  options->model.add_prefix_cache_to(*serve_app);
  options->chat.add_to(*serve_app);
  serve_app->footer(
      "Keys: --api-keys FILE, read again on SIGHUP, or OGAS_API_KEY=KEY[,KEY]. SIGTERM and Ctrl-C let running answers "
      "end.\n"
      "Examples:\n"
      "  ogas serve\n"
      "  ogas serve model.gguf --host 0.0.0.0 --api-keys keys.txt\n"
      "  curl localhost:8080/v1/chat/completions -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'");
  when_asked(serve_app, chosen, options, serve);
}

}  // namespace ogas::cli
