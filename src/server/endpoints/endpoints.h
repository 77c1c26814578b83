// What is served, one function an endpoint. Each says in its file which fields it takes.
#pragma once

#include "server/api.h"

namespace ogas::server {

// OpenAI's.
ApiResult<> chat_completions(Api& api, Call& call);
ApiResult<> completions(Api& api, Call& call);
ApiResult<> responses(Api& api, Call& call);
ApiResult<> embeddings(Api& api, Call& call);
ApiResult<> list_models(Api& api, Call& call);
ApiResult<> show_model(Api& api, Call& call);  // the path ends with its name

// Ollama's. Their errors have a shape of their own.
ApiResult<> ollama_chat(Api& api, Call& call);
ApiResult<> ollama_generate(Api& api, Call& call);
ApiResult<> ollama_tags(Api& api, Call& call);
ApiResult<> ollama_ps(Api& api, Call& call);
ApiResult<> ollama_show(Api& api, Call& call);
ApiResult<> ollama_version(Api& api, Call& call);
HttpReply ollama_reply_of(const ApiError& error, std::string_view id = {});

// Anthropic's. Their errors have a shape of their own, too.
ApiResult<> create_message(Api& api, Call& call);
ApiResult<> count_message_tokens(Api& api, Call& call);
HttpReply anthropic_reply_of(const ApiError& error, std::string_view id);

// Tokens of texts and back, by vLLM's names; evaluation harnesses ask for them.
ApiResult<> tokenize(Api& api, Call& call);
ApiResult<> detokenize(Api& api, Call& call);
ApiResult<> tokenizer_info(Api& api, Call& call);

// For those who run it.
ApiResult<> health(Api& api, Call& call);
ApiResult<> ready(Api& api, Call& call);
ApiResult<> metrics(Api& api, Call& call);
ApiResult<> openapi(Api& api, Call& call);  // what all of this takes
std::string api_description();              // the same, as JSON

}  // namespace ogas::server
