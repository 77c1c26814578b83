// A server that speaks OpenAI's API as the one who answers.
#pragma once

#include <memory>

#include "cli/chat/chat_backend.h"
#include "client/http_client.h"
#include "client/server_url.h"

namespace ogas::cli {

// Of a request's body: the settings that the person gave, by the names OpenAI's API or else the field has for them.
nlohmann::json settings_as_fields(const AnswerOptions& settings);

class ServerBackend : public ChatBackend {
 public:
  // model: empty for the first that the server names. Errors: as parse_server_url and HttpClient, io where it names
  // none.
  static Result<std::unique_ptr<ServerBackend>> create(std::string_view url, std::string model, bool hides_thinking);

  std::string model() const override { return model_; }
  std::string greeting() const override;
  std::vector<std::pair<std::string, std::string>> facts() const override;
  Result<Reply> answer(const Conversation& conversation) override;
  void forget() override {}

 private:
  class Stream;
  ServerBackend(client::ServerUrl url, client::HttpClient http, bool has_key)
      : url_(std::move(url)), http_(std::move(http)), has_key_(has_key) {}

  Result<> find_model();
  Result<> ask(const Conversation& conversation, Stream& stream);
  // With what the person can do about it.
  std::unexpected<Error> explain(Error error) const;

  client::ServerUrl url_;
  client::HttpClient http_;
  bool has_key_;
  bool hides_thinking_ = false;
  bool asks_for_usage_ = true;  // until the server refuses that
  std::string model_;
};

}  // namespace ogas::cli
