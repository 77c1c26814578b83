// Requests to a model in this process, and its answers, split into reasoning and content as the server does it.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options/options.h"
#include "engine/answer_reader.h"
#include "engine/engine.h"

namespace ogas::cli {

// As the tokens of a prompt, by the engine's chat template. Errors: as ModelText::render.
Result<std::vector<TokenId>> encode_conversation(const Engine& engine, const nlohmann::ordered_json& messages,
                                                 const TemplateOptions& chat);

// Of an answer that was cut before its content began.
inline constexpr std::string_view kCutInReasoning =
    "(the answer was cut while the model was still thinking: max_tokens, or the context)";

class ModelReply {
 public:
  // print: further reasoning and content, as they come.
  using Print = std::function<void(std::string_view reasoning, std::string_view content)>;
  ModelReply(AnswerReader reader, Print print);
  ModelReply(const ModelReply&) = delete;
  ModelReply& operator=(const ModelReply&) = delete;

  // Has the answer's text read here: `this` must outlive the request.
  void watch(Request& request);
  // The answer is whole.
  void finish();

  const std::string& content() const { return content_; }
  const std::string& reasoning() const { return reasoning_; }
  bool is_cut_in_reasoning(FinishReason finish) const;

 private:
  void add(const OutputPiece& piece);

  AnswerReader reader_;
  Print print_;
  std::string reasoning_, content_;
};

}  // namespace ogas::cli
