// An answer, split into reasoning, content and tool calls as it comes, by the marks that the model's chat template
// shows.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "chat/output_parser.h"
#include "engine/answer_start.h"

namespace ogas {

class AnswerReader {
 public:
  // All of the answer is content.
  AnswerReader() = default;
  // start: the request's. tools: those the request names, in OpenAI's form; null: calls are content.
  explicit AnswerReader(const AnswerStart& start, const nlohmann::ordered_json& tools = nullptr);

  // For Request::is_split.
  bool splits() const { return parser_.has_value(); }
  // Further text of the answer, cut anywhere. Calls are given out whole.
  OutputPiece push(std::string_view text);
  // The end of the answer: what was held back. Nothing may be pushed afterwards.
  OutputPiece finish();

 private:
  std::optional<OutputParser> parser_;
};

}  // namespace ogas
