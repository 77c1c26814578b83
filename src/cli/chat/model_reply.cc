#include "cli/chat/model_reply.h"

#include <utility>

namespace ogas::cli {

Result<std::vector<TokenId>> encode_conversation(const Engine& engine, const nlohmann::ordered_json& messages,
                                                 const TemplateOptions& chat) {
  ChatTemplateInput input{};
  input.messages = messages;
  return engine.text().encode_chat(input, {.special_in_input = chat.parse_special});
}

ModelReply::ModelReply(AnswerReader reader, Print print) : reader_(std::move(reader)), print_(std::move(print)) {}

void ModelReply::watch(Request& request) {
  request.is_split = reader_.splits();
  request.on_text = [this](std::string_view text) { add(reader_.push(text)); };
}

void ModelReply::finish() { add(reader_.finish()); }

void ModelReply::add(const OutputPiece& piece) {
  reasoning_ += piece.reasoning;
  content_ += piece.content;
  print_(piece.reasoning, piece.content);
}

bool ModelReply::is_cut_in_reasoning(FinishReason finish) const {
  return finish == FinishReason::length && content_.empty() && !reasoning_.empty();
}

}  // namespace ogas::cli
