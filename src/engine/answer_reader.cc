#include "engine/answer_reader.h"

#include <algorithm>

#include "chat/output_format.h"

namespace ogas {
namespace {

// More tokens than any mark with the white space after it. "" without a tokenizer.
std::string end_of(const Engine& engine, std::span<const TokenId> prompt) {
  constexpr size_t kEnd = 16;
  if (!engine.text().tokenizer()) return {};
  return engine.text().tokenizer()->decode_text(prompt.last(std::min(prompt.size(), kEnd)));
}

}  // namespace

AnswerReader::AnswerReader(const Engine& engine, std::span<const TokenId> prompt, const nlohmann::ordered_json& tools) {
  if (!engine.text().chat_template()) return;
  const OutputFormat format = output_format_of(engine.text().chat_template()->source());
  if (format == OutputFormat{}) return;
  shown_control_ = marks_of(format);
  parser_.emplace(format, tools, ends_in_reasoning(format, end_of(engine, prompt)), CallDelivery::whole);
}

OutputPiece AnswerReader::push(std::string_view text) {
  if (parser_) return parser_->push(text);
  return {.reasoning = {}, .content = std::string(text), .calls = {}};
}

OutputPiece AnswerReader::finish() { return parser_ ? parser_->finish() : OutputPiece{}; }

}  // namespace ogas
