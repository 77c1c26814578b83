#include "server/answer/chat_answer.h"
#include "server/request/request_fields.h"

#include <utility>

namespace ogas::server {
namespace {

bool is_empty(const OutputPiece& piece) {
  return piece.reasoning.empty() && piece.content.empty() && piece.calls.empty();
}

// Whether it can be part of that piece, whose reasoning comes before its content, and that before its calls.
bool keeps_order(const OutputPiece& piece, const OutputPiece& more) {
  if (!more.reasoning.empty()) return piece.content.empty() && piece.calls.empty();
  return more.content.empty() || piece.calls.empty();
}

void append_call(std::vector<ToolCallPiece>& calls, ToolCallPiece more) {
  if (calls.empty() || calls.back().index != more.index) return calls.push_back(std::move(more));
  calls.back().arguments += more.arguments;
  calls.back().is_last |= more.is_last;
}

void append(std::vector<OutputPiece>& pieces, OutputPiece more) {
  if (is_empty(more)) return;
  if (pieces.empty() || !keeps_order(pieces.back(), more)) return pieces.push_back(std::move(more));
  pieces.back().reasoning += more.reasoning;
  pieces.back().content += more.content;
  for (ToolCallPiece& call : more.calls) append_call(pieces.back().calls, std::move(call));
}

}  // namespace

// Byte by byte, since a piece does not say in which order its parts came. Where one call is wanted at most, the second
// one is the answer's end, whatever else has come with it.
std::vector<OutputPiece> ChatAnswer::read(ChatChoice& choice, std::string_view text, bool is_last) const {
  std::vector<OutputPiece> pieces;
  const auto take_in = [&](OutputPiece piece) {
    choice.has_enough = !parallel_calls_ && choice.parser.n_calls() > 1;
    if (choice.has_enough) std::erase_if(piece.calls, [](const ToolCallPiece& call) { return call.index > 0; });
    append(pieces, std::move(piece));
  };
  for (; !text.empty() && !choice.has_enough; text.remove_prefix(1)) take_in(choice.parser.push(text.substr(0, 1)));
  if (is_last && !choice.has_enough) take_in(choice.parser.finish());
  return pieces;
}

void ChatAnswer::add_piece(size_t idx, const OutputPiece& piece, std::vector<DrawnToken> tokens) {
  ChatChoice& choice = choices[idx];
  choice.content += piece.content;
  choice.reasoning += piece.reasoning;
  for (const ToolCallPiece& call : piece.calls) {
    if (choice.calls.size() <= call.index) choice.calls.push_back({new_id("call_"), call.name, {}});
    choice.calls[call.index].arguments += call.arguments;
    choice.calls[call.index].is_whole |= call.is_last;
  }
  add(idx, piece, std::move(tokens));
}

void ChatAnswer::take_piece(FeedEvent& events) {
  ChatChoice& choice = choices[events.answer_idx];
  if (events.prompt) begin(*events.prompt);
  const bool had_enough = choice.has_enough;
  std::vector<OutputPiece> pieces = read(choice, events.text, events.answer.has_value());
  events.is_enough = choice.has_enough;
  // What ends an answer is none of it.
  std::erase_if(events.tokens, [&](const DrawnToken& drawn) {
    return events.answer && *events.answer && (*events.answer)->finish == FinishReason::stop &&
           api.engine.text().answer_ends().contains(drawn.id);
  });
  if (pieces.empty() && !events.tokens.empty() && !had_enough) pieces.emplace_back();
  for (const OutputPiece& piece : pieces) add_piece(events.answer_idx, piece, std::exchange(events.tokens, {}));
  if (!events.answer) return;
  choice.is_done = true;
  --n_open_;
  finish(events.answer_idx, **events.answer);
}

bool ChatAnswer::take(std::span<FeedEvent> events) {
  for (FeedEvent& one : events) {
    if (one.answer && !*one.answer) {
      fail(ApiError(one.answer->error()));
      return false;
    }
    if (!choices[one.answer_idx].is_done) take_piece(one);
  }
  if (n_open_ > 0) return true;
  end();
  return false;
}

ApiResult<> ChatRun::start(Api& api, const Call& call, std::unique_ptr<ChatAnswer> answer, HttpReply stream_head) {
  input.tools = tools.tools;
  return start_with(api, call, OGAS_TRY(make_prompt(api, input)), std::move(answer), std::move(stream_head));
}

ApiResult<> ChatRun::start_with(Api& api, const Call& call, std::vector<TokenId> prompt,
                                std::unique_ptr<ChatAnswer> answer, HttpReply stream_head) {
  const bool has_tools = !tools.tools.is_null();
  if (has_tools && api.options.native_tools_only && api.engine.text().has_generic_tools())
    return refuse("tools", "this model's chat template does not support tools (and --native-tools-only is set)");
  request.prompt = std::move(prompt);
  request.is_split = true;
  api.engine.text().start_answer(request, has_tools);
  OGAS_TRY(constrain(api, request, form, tools));
  const bool starts_in_reasoning = request.start.at == ReasoningFinder::At::reasoning;
  answer->parallel_calls_ = tools.parallel;
  answer->n_open_ = n;
  std::vector<Request> requests(n, request);
  for (uint32_t idx = 0; idx < n; ++idx) {
    requests[idx].sampling.seed += idx;
    answer->choices.push_back({.parser = OutputParser(api.format(has_tools), tools.tools, starts_in_reasoning, calls)});
  }
  if (streams) call.exchange->expect_stream(std::move(stream_head));
  feed_answers(
      api, call, std::move(requests),
      [answer = std::move(answer)](std::span<FeedEvent> events) { return answer->take(events); }, tells_prompts);
  return {};
}

}  // namespace ogas::server
