#include "engine/answer_reader.h"

#include "chat/output_format.h"
#include "engine/answer_grammars.h"

namespace ogas {
AnswerReader::AnswerReader(const Engine& engine, std::span<const TokenId> prompt, const nlohmann::ordered_json& tools) {
  if (!engine.text().chat_template()) return;
  const OutputFormat& format = engine.text().output_format(/*has_tools=*/!tools.is_null());
  if (format == OutputFormat{}) return;
  shown_control_ = marks_of(format);
  const Tokenizer* tokenizer = engine.text().tokenizer();
  const std::string end = tokenizer ? end_of_prompt(*tokenizer, prompt) : std::string();
  parser_.emplace(format, tools, ends_in_reasoning(format, end), CallDelivery::whole);
}

OutputPiece AnswerReader::push(std::string_view text) {
  if (parser_) return parser_->push(text);
  return {.reasoning = {}, .content = std::string(text), .calls = {}};
}

OutputPiece AnswerReader::finish() { return parser_ ? parser_->finish() : OutputPiece{}; }

}  // namespace ogas
