// Text and tokens, conversations and prompts. Neither tokenizers nor templates change once they are loaded, so all of
// it runs on the thread that calls.
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "capi/boundary.h"
#include "capi/handles.h"
#include "capi/reply.h"

namespace ogas::capi {
namespace {

Result<const Tokenizer*> tokenizer_of(const ogas_engine* engine) {
  OGAS_TRY(need(engine, "engine"));
  return engine->loaded->engine->text().tokenizer_or_error();
}

Result<> give_text(std::string_view text, char** taker, size_t* n_bytes) {
  *taker = copy_for_caller(std::span(text), /*extra=*/1);
  if (n_bytes) *n_bytes = text.size();
  return {};
}

Result<> give_tokens(std::span<const TokenId> ids, int32_t** tokens, size_t* n_tokens) {
  *tokens = copy_for_caller(ids);
  *n_tokens = ids.size();
  return {};
}

Result<ChatTemplateInput> chat_input(const ogas_conversation& conversation) {
  OGAS_TRY(need(conversation.messages, "messages"));
  ChatTemplateInput input{};
  input.messages = OGAS_TRY(parse_json(conversation.messages, "messages", Json::value_t::array));
  input.tools = OGAS_TRY(parse_json(conversation.tools, "tools", Json::value_t::array));
  input.extra = OGAS_TRY(parse_json(conversation.variables, "variables", Json::value_t::object));
  input.add_generation_prompt = conversation.leaves_open == 0;
  for (size_t idx = 0; idx < input.messages.size(); ++idx) {
    const Json& message = input.messages[idx];
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
      return fail(ErrorCode::usage, "message {} is not an object with a 'role'", idx);
  }
  return input;
}

}  // namespace
}  // namespace ogas::capi

using namespace ogas;

ogas_status ogas_tokenize(const ogas_engine* engine, const char* text, size_t n_bytes, unsigned flags, int32_t** tokens,
                          size_t* n_tokens) {
  return capi::guarded([&]() -> Result<> {
    const Tokenizer* tokenizer = OGAS_TRY(capi::tokenizer_of(engine));
    OGAS_TRY(capi::need(text, "text"));
    OGAS_TRY(capi::need(tokens, "tokens"));
    OGAS_TRY(capi::need(n_tokens, "n_tokens"));
    if ((flags & ~(OGAS_PARSE_SPECIAL | OGAS_ADD_SPECIAL)) != 0)
      return fail(ErrorCode::usage, "flags are {:#x}; OGAS_PARSE_SPECIAL and OGAS_ADD_SPECIAL are known", flags);
    const auto bytes = n_bytes == OGAS_NUL_TERMINATED ? std::string_view(text) : std::string_view(text, n_bytes);
    const auto ids = tokenizer->encode(
        bytes, {.parse_special = (flags & OGAS_PARSE_SPECIAL) != 0, .add_special = (flags & OGAS_ADD_SPECIAL) != 0});
    return capi::give_tokens(ids, tokens, n_tokens);
  });
}

ogas_status ogas_detokenize(const ogas_engine* engine, const int32_t* tokens, size_t n_tokens, char** text,
                            size_t* n_bytes) {
  return capi::guarded([&]() -> Result<> {
    const Tokenizer* tokenizer = OGAS_TRY(capi::tokenizer_of(engine));
    if (n_tokens > 0) OGAS_TRY(capi::need(tokens, "tokens"));
    OGAS_TRY(capi::need(text, "text"));
    const std::span ids(tokens, n_tokens);
    const auto n_vocab = static_cast<int64_t>(tokenizer->vocab().kinds.size());
    for (size_t idx = 0; idx < ids.size(); ++idx)
      if (ids[idx] < 0 || ids[idx] >= n_vocab)
        return fail(ErrorCode::usage, "token {} at position {}: the vocabulary has {}", ids[idx], idx, n_vocab);
    return capi::give_text(tokenizer->decode_text(ids), text, n_bytes);
  });
}

ogas_status ogas_conversation_init(ogas_conversation* conversation, size_t size) {
  return capi::guarded([&] { return capi::write_struct({}, conversation, size, "ogas_conversation"); });
}

ogas_status ogas_encode_chat(const ogas_engine* engine, const ogas_conversation* conversation, int32_t** tokens,
                             size_t* n_tokens) {
  return capi::guarded([&]() -> Result<> {
    OGAS_TRY(capi::need(engine, "engine"));
    OGAS_TRY(capi::need(conversation, "conversation"));
    OGAS_TRY(capi::need(tokens, "tokens"));
    OGAS_TRY(capi::need(n_tokens, "n_tokens"));
    const auto known = OGAS_TRY(capi::read_struct(conversation, {}, "ogas_conversation"));
    const auto ids = OGAS_TRY(engine->loaded->engine->text().encode_chat(
        OGAS_TRY(capi::chat_input(known)), {.special_in_input = known.parses_special_in_content != 0}));
    return capi::give_tokens(ids, tokens, n_tokens);
  });
}

ogas_status ogas_apply_template(const ogas_engine* engine, const ogas_conversation* conversation, char** text,
                                size_t* n_bytes) {
  return capi::guarded([&]() -> Result<> {
    OGAS_TRY(capi::need(engine, "engine"));
    OGAS_TRY(capi::need(conversation, "conversation"));
    OGAS_TRY(capi::need(text, "text"));
    const auto known = OGAS_TRY(capi::read_struct(conversation, {}, "ogas_conversation"));
    const auto chat = OGAS_TRY(engine->loaded->engine->text().render(OGAS_TRY(capi::chat_input(known))));
    return capi::give_text(chat.text, text, n_bytes);
  });
}
