#include "client/chat_stream.h"

#include <nlohmann/json.hpp>

#include "base/quote.h"
#include "client/server_error.h"

namespace ogas::client {
namespace {

using Json = nlohmann::json;

// Null where it is missing or null.
const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// A string, or a list of {"type": "text", "text": ...}, as some servers send content.
Result<std::string> read_text(const Json& message, const char* name) {
  const Json* value = member(message, name);
  if (!value) return std::string();
  if (value->is_string()) return value->get<std::string>();
  if (!value->is_array())
    return fail(ErrorCode::io, "'{}' of the answer is a {}, where text is expected", name, value->type_name());
  std::string text;
  for (const Json& part : *value) text += text_member(part, "text");
  return text;
}

uint64_t read_count(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value && value->is_number_unsigned() ? value->get<uint64_t>() : 0;
}

ChatUsage read_usage(const Json& usage) {
  const Json* details = member(usage, "prompt_tokens_details");
  return {.n_prompt = read_count(usage, "prompt_tokens"),
          .n_cached = details ? read_count(*details, "cached_tokens") : 0,
          .n_generated = read_count(usage, "completion_tokens")};
}

}  // namespace

Result<ChatPiece> read_chat_piece(std::string_view data) {
  const Json json = Json::parse(data, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail(ErrorCode::io, "{} was sent, where a JSON object is expected", in_quotes(data));
  if (member(json, "error")) return fail(ErrorCode::io, "the server reports: {}", message_in(data));
  ChatPiece piece;
  if (const Json* usage = member(json, "usage")) piece.usage = read_usage(*usage);
  const Json* choices = member(json, "choices");
  if (!choices || !choices->is_array()) return fail(ErrorCode::io, "{} has no list of choices", in_quotes(data));
  if (choices->empty()) return piece;
  const Json& choice = choices->front();
  piece.finish = text_member(choice, "finish_reason");
  const Json* message = member(choice, "delta");
  if (!message) message = member(choice, "message");
  if (!message) return piece;
  piece.content = OGAS_TRY(read_text(*message, "content"));
  if (piece.content.empty()) piece.content = OGAS_TRY(read_text(*message, "refusal"));
  piece.reasoning = OGAS_TRY(read_text(*message, "reasoning_content"));
  if (piece.reasoning.empty()) piece.reasoning = text_member(*message, "reasoning");
  return piece;
}

}  // namespace ogas::client
