#include "cli/chat/model_reply.h"

#include <utility>

namespace ogas::cli {

Result<Question> encode_conversation(const Engine& engine, const nlohmann::ordered_json& messages,
                                     const TemplateOptions& chat) {
  ChatTemplateInput input{};
  input.messages = messages;
  const RenderedChat rendered = OGAS_TRY(engine.render_chat(input));
  EncodeOptions encoding{.parse_special = true};
  if (!chat.parse_special) encoding.input = rendered.input;
  Question question{.tokens = engine.tokenizer()->encode(rendered.text, encoding),
                    .format = output_format_of(engine.chat_template()->source())};
  question.starts_in_reasoning = ends_in_reasoning(question.format, rendered.text);
  return question;
}

ModelReply::ModelReply(const Question& question, Print print)
    : shown_control_(marks_of(question.format)), print_(std::move(print)) {
  if (question.format != OutputFormat{}) parser_.emplace(question.format, nullptr, question.starts_in_reasoning);
}

void ModelReply::watch(Request& request) {
  request.shown_control = shown_control_;
  request.on_text = [this](std::string_view text) { push(text); };
}

void ModelReply::push(std::string_view text) {
  if (!parser_) return add({}, text);
  const OutputPiece piece = parser_->push(text);
  add(piece.reasoning, piece.content);
}

void ModelReply::finish() {
  if (!parser_) return;
  const OutputPiece piece = parser_->finish();
  add(piece.reasoning, piece.content);
}

void ModelReply::add(std::string_view reasoning, std::string_view content) {
  reasoning_ += reasoning;
  content_ += content;
  print_(reasoning, content);
}

bool ModelReply::is_cut_in_reasoning(FinishReason finish) const {
  return finish == FinishReason::length && content_.empty() && !reasoning_.empty();
}

}  // namespace ogas::cli
