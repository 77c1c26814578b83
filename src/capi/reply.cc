#include "capi/reply.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ogas::capi {
Json Reply::message() const {
  Json message = {{"role", "assistant"}, {"content", content}};
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  for (const ReplyCall& call : calls) {
    Json arguments = Json::parse(call.arguments, nullptr, /*allow_exceptions=*/false);
    if (!arguments.is_object()) arguments = call.arguments;  // templates want the object; a cut call has none
    message["tool_calls"].push_back(
        {{"type", "function"}, {"function", {{"name", call.name}, {"arguments", std::move(arguments)}}}});
  }
  return message;
}

Result<ReplyOptions> read_reply_options(const ogas_generate_options& options) {
  ReplyOptions reply{.is_split = options.splits_reply != 0, .tools = {}, .on_reasoning = options.on_reasoning};
  reply.tools = OGAS_TRY(parse_json(options.tools, "tools", Json::value_t::array));
  if (!reply.is_split && (options.tools || options.on_reasoning))
    return fail(ErrorCode::usage, "{} without splits_reply", options.tools ? "tools" : "on_reasoning");
  return reply;
}

Result<Json> parse_json(const char* text, std::string_view name, Json::value_t expected) {
  if (!text) return Json();
  try {
    Json json = Json::parse(text);
    if (json.type() == expected) return json;
    return fail(ErrorCode::usage, "{} is {}; an {} is expected", name, json.type_name(), Json(expected).type_name());
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::usage, "{} is not JSON: {}", name, error.what());
  }
}

ReplyReader::ReplyReader(const ReplyOptions& options, const AnswerStart& start)
    : reader_(options.is_split ? AnswerReader(start, options.tools) : AnswerReader()) {}

OutputPiece ReplyReader::push(std::string_view text, bool is_last) {
  OutputPiece piece = reader_.push(text);
  if (is_last) {
    OutputPiece rest = reader_.finish();
    piece.reasoning += rest.reasoning;
    piece.content += rest.content;
    std::ranges::move(rest.calls, std::back_inserter(piece.calls));
  }
  reply_.reasoning += piece.reasoning;
  reply_.content += piece.content;
  for (const ToolCallPiece& part : piece.calls) {
    if (reply_.calls.size() <= part.index) reply_.calls.push_back({part.name, {}});
    reply_.calls[part.index].arguments += part.arguments;
    reply_.calls[part.index].is_whole |= part.is_last;
  }
  return piece;
}

}  // namespace ogas::capi
