// Which tokens end an answer of a model: what its file says, and what its chat template shows.
//
// Names say nothing: "<|end|>" ends an answer of Phi, and closes one of the several messages of an answer of gpt-oss.
// So short conversations are rendered by the template. What it writes after an assistant's last words ends an answer;
// what it writes in the middle of one does not.
#pragma once

#include <span>
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

 private:
  std::vector<TokenId> ids_;
};

}  // namespace ogas
