// Which tokens end an answer of a model: what its file says, and what its chat template shows.
//
// Names say nothing: "<|end|>" ends an answer of Phi, and closes one of the several messages of an answer of gpt-oss.
// So short conversations are rendered by the template. What it writes after an assistant's last words ends an answer;
// what it writes in the middle of one does not.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "chat/chat_template.h"
#include "text/tokenizer.h"

namespace ogas {

class AnswerEnds {
 public:
  AnswerEnds() = default;
  // Those of the vocabulary, and of the templates that conversations of this model are rendered by. What a template
  // refuses to render shows nothing.
  AnswerEnds(const Tokenizer& tokenizer, std::span<const ChatTemplate* const> templates);

  bool contains(TokenId id) const;
  std::span<const TokenId> ids() const { return ids_; }  // sorted
  // The text between the reasoning and the content of an answer, marks and new lines, as the first of these templates
  // writes it; empty where it shows none.
  const std::string& end_of_reasoning() const { return end_of_reasoning_; }

 private:
  std::vector<TokenId> ids_;
  std::string end_of_reasoning_;
};

}  // namespace ogas
