#include "engine/answer_reader.h"

#include <string>

namespace ogas {

AnswerReader::AnswerReader(const AnswerStart& start, const nlohmann::ordered_json& tools) {
  if (start.format == OutputFormat{}) return;
  parser_.emplace(start.format, tools, start.at == ReasoningFinder::At::reasoning, CallDelivery::whole);
}

OutputPiece AnswerReader::push(std::string_view text) {
  if (parser_) return parser_->push(text);
  return {.reasoning = {}, .content = std::string(text), .calls = {}};
}

OutputPiece AnswerReader::finish() { return parser_ ? parser_->finish() : OutputPiece{}; }

}  // namespace ogas
