// POST /tokenize, POST /detokenize and GET /tokenizer_info, as vLLM has them.
//
// /tokenize: prompt or messages, model, add_special_tokens (true), add_generation_prompt (true), return_token_strs.
// /detokenize: tokens, model.
#include "server/answer/token_text.h"
#include "server/endpoints/endpoints.h"
#include "server/request/chat_prompt.h"
#include "server/request/read_tokens.h"

namespace ogas::server {

ApiResult<> tokenize(Api& api, Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  const Tokenizer& tokenizer = *OGAS_TRY(api.tokenizer());
  OGAS_TRY(api.check_model(fields));
  const bool adds_special = OGAS_TRY(fields.boolean("add_special_tokens")).value_or(true);
  const bool wants_texts = OGAS_TRY(fields.boolean("return_token_strs")).value_or(false);
  std::vector<TokenId> tokens;
  if (fields.find("messages")) {
    ChatInput input{.messages = OGAS_TRY(read_messages(fields))};
    input.tools = OGAS_TRY(read_tools(fields)).tools;
    Request request;  // a limit on reasoning is not the prompt's
    input.extra = OGAS_TRY(read_template_variables(api, fields, request));
    input.add_generation_prompt = OGAS_TRY(fields.boolean("add_generation_prompt")).value_or(true);
    tokens = OGAS_TRY(make_prompt(api, input));
  } else {
    tokens =
        tokenizer.encode(OGAS_TRY(fields.needed_text("prompt")), {.parse_special = true, .add_special = adds_special});
  }
  OGAS_TRY(fields.finish());
  Json reply = {{"count", tokens.size()}, {"max_model_len", api.engine.options().n_ctx}, {"tokens", tokens}};
  if (wants_texts) {
    Json& texts = reply["token_strs"] = Json::array();
    for (const TokenId id : tokens) texts.push_back(token_text(tokenizer, id));
  }
  reply_json(*call.exchange, reply);
  return {};
}

ApiResult<> detokenize(Api& api, Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  const Tokenizer& tokenizer = *OGAS_TRY(api.tokenizer());
  OGAS_TRY(api.check_model(fields));
  const Json* given = fields.find("tokens");
  if (!given || !given->is_array())
    return refuse("tokens", "tokens is {}, where an array of tokens is expected", given ? kind_of(*given) : "missing");
  const std::vector<TokenId> tokens = OGAS_TRY(read_tokens(api, *given, "tokens"));
  OGAS_TRY(fields.finish());
  reply_json(*call.exchange, {{"prompt", tokenizer.decode_valid(tokens)}});
  return {};
}

ApiResult<> tokenizer_info(Api& api, Call& call) {
  const Tokenizer& tokenizer = *OGAS_TRY(api.tokenizer());
  const Vocab& vocab = tokenizer.vocab();
  const auto text = [&](const std::optional<TokenId>& id) { return id ? Json(token_text(tokenizer, *id)) : Json(); };
  reply_json(*call.exchange,
             {{"tokenizer_class", "PreTrainedTokenizerFast"},
              {"bos_token", text(vocab.bos)},
              {"eos_token", text(vocab.eos)},
              {"pad_token", text(vocab.padding ? vocab.padding : vocab.eos)},
              {"add_bos_token", vocab.add_bos},
              {"add_eos_token", vocab.add_eos},
              {"model_max_length", api.engine.options().n_ctx},
              {"vocab_size", api.engine.facts().n_vocab},
              {"chat_template",
               api.engine.text().chat_template() ? Json(api.engine.text().chat_template()->source()) : Json()}});
  return {};
}

}  // namespace ogas::server
