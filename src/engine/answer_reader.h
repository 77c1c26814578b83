// An answer, split into reasoning, content and tool calls as it comes, by the marks that the model's chat template
// shows.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/output_parser.h"
#include "engine/engine.h"

namespace ogas {

class AnswerReader {
 public:
  // All of the answer is content.
  AnswerReader() = default;
  // The end of the prompt may open a reasoning block. tools: those the request names, in OpenAI's form; null: calls are
  // content.
  AnswerReader(const Engine& engine, std::span<const TokenId> prompt, const nlohmann::ordered_json& tools = nullptr);

  // For Request::shown_control: marks may be control tokens.
  const std::vector<std::string>& shown_control() const { return shown_control_; }
  // Further text of the answer, cut anywhere. Calls are given out whole.
  OutputPiece push(std::string_view text);
  // The end of the answer: what was held back. Nothing may be pushed afterwards.
  OutputPiece finish();

 private:
  std::optional<OutputParser> parser_;
  std::vector<std::string> shown_control_;
};

}  // namespace ogas
