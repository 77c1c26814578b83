// `ogas serve`: an engine over HTTP, with OpenAI's API, Anthropic's and Ollama's.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/scheduler.h"
#include "server/api.h"
#include "server/http/http_server.h"

namespace ogas::server {

struct ServerOptions {
  HttpServerOptions http = {};
  ApiOptions api = {};
  SchedulerOptions scheduler = {};
  std::filesystem::path key_file = {};    // empty: none
  std::string keys = {};                  // from the environment
  std::vector<std::string> origins = {};  // of pages in browsers that may ask (CORS); "*": all
  // Names that a request's Host may have, against pages that make their own name point here (DNS rebinding); "*": any.
  // Empty: those of this machine itself where only it is listened to, else any.
  std::vector<std::string> hosts = {};
  std::chrono::milliseconds grace{30'000};  // for what is being answered when the end comes
  std::function<void(const HttpRecord&)> log = {};
};

class Server {
 public:
  // Listens. Errors: as HttpServer::listen and ApiKeys::read.
  static Result<std::unique_ptr<Server>> create(Engine& engine, ServerOptions options);
  virtual ~Server() = default;

  virtual std::string url() const = 0;
  // Whether anybody who reaches it may ask.
  virtual bool is_open() const = 0;
  // Whether only this machine reaches it.
  virtual bool is_local() const = 0;
  // Until it is stopped, by a signal as HttpServer::run.
  virtual void run() = 0;
};

}  // namespace ogas::server
