// Fields that requests to several endpoints have in common: how tokens are chosen, and how long an answer gets.
#pragma once

#include "engine/request.h"
#include "server/api.h"
#include "server/request/answer_form.h"
#include "server/request/chat_prompt.h"

namespace ogas::server {

// Everything but the prompt. max_tokens has several names; log-probabilities are the endpoint's own. -1 is what it is
// for other servers: of max_tokens no limit, of seed a random one, of top_k all, of repeat_last_n all tokens so far.
ApiResult<Request> read_request(const Api& api, const Client& client, Fields& fields,
                                std::initializer_list<std::string_view> names_of_max_tokens);

// {"include_usage": true}; only where there is a stream.
struct StreamFields {
  bool stream = false, include_usage = false;
};
ApiResult<StreamFields> read_stream(Fields& fields);

// How many answers: 1 to the most that the server allows.
ApiResult<uint32_t> read_n(const Api& api, Fields& fields);

// Has the answers of a request, which has its prompt, match a form. Errors: as AnswerGrammars::constrain.
ApiResult<> constrain(const Api& api, Request& request, const AnswerForm& form);
// The same with tools, where there are some.
ApiResult<> constrain(const Api& api, Request& request, const std::optional<AnswerForm>& form, const ToolFields& tools);

// What OpenAI's API has and changes nothing here: who asks and where it is stored.
void ignore_bookkeeping(Fields& fields);

}  // namespace ogas::server
