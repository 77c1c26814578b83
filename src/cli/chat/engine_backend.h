// A model in this process as the one who answers.
#pragma once

#include "cli/chat/chat_backend.h"
#include "engine/engine.h"

namespace ogas::cli {

class EngineBackend : public ChatBackend {
 public:
  // The engine must outlive it, and have a tokenizer and a chat template.
  EngineBackend(Engine& engine, const TemplateOptions& chat, bool hides_thinking)
      : engine_(engine), chat_(chat), hides_thinking_(hides_thinking), session_(engine.new_session()) {}

  std::string model() const override;
  std::string greeting() const override;
  std::vector<std::pair<std::string, std::string>> facts() const override;
  Result<Reply> answer(const Conversation& conversation) override;
  void forget() override { session_ = engine_.new_session(); }

 private:
  bool is_full() const { return session_->tokens.size() >= engine_.options().n_ctx; }

  Engine& engine_;
  TemplateOptions chat_;
  bool hides_thinking_;
  Engine::SessionPtr session_;
};

}  // namespace ogas::cli
