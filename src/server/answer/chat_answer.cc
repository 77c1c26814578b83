#include "server/answer/chat_answer.h"
#include "server/request/request_fields.h"

#include <utility>

namespace ogas::server {
namespace {

void append(OutputPiece& piece, OutputPiece more) {
  piece.reasoning += more.reasoning;
  piece.content += more.content;
  for (ToolCallPiece& call : more.calls) {
    if (piece.calls.empty() || piece.calls.back().index != call.index) {
      piece.calls.push_back(std::move(call));
      continue;
    }
    piece.calls.back().arguments += call.arguments;
    piece.calls.back().is_last |= call.is_last;
  }
}

}  // namespace

// Where one call is wanted at most, the second one is the answer's end, whatever else has come with it.
OutputPiece ChatAnswer::read(ChatChoice& choice, std::string_view text) const {
  if (parallel_calls_) return choice.parser.push(text);
  OutputPiece piece;
  for (; !text.empty() && !choice.has_enough; text.remove_prefix(1)) {
    append(piece, choice.parser.push(text.substr(0, 1)));
    choice.has_enough = choice.parser.n_calls() > 1;
  }
  std::erase_if(piece.calls, [](const ToolCallPiece& call) { return call.index > 0; });
  return piece;
}

void ChatAnswer::take_piece(FeedEvent& events) {
  ChatChoice& choice = choices[events.answer_idx];
  const bool had_enough = choice.has_enough;
  OutputPiece piece = read(choice, events.text);
  if (events.answer && !choice.has_enough) append(piece, choice.parser.finish());
  events.is_enough = choice.has_enough;
  choice.content += piece.content;
  choice.reasoning += piece.reasoning;
  for (const ToolCallPiece& call : piece.calls) {
    if (choice.calls.size() <= call.index) choice.calls.push_back({new_id("call_"), call.name, {}});
    choice.calls[call.index].arguments += call.arguments;
    choice.calls[call.index].is_whole |= call.is_last;
  }
  // What ends an answer is none of it.
  std::erase_if(events.tokens, [&](const DrawnToken& drawn) {
    return events.answer && *events.answer && (*events.answer)->finish == FinishReason::stop &&
           api.engine.text().answer_ends().contains(drawn.id);
  });
  const bool is_empty = piece.content.empty() && piece.reasoning.empty() && piece.calls.empty();
  if (!had_enough && (!is_empty || !events.tokens.empty())) add(events.answer_idx, piece, std::move(events.tokens));
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
  if (!tools.tools.is_null() && api.options.native_tools_only && api.engine.text().has_generic_tools())
    return refuse("tools", "this model's chat template does not support tools (and --native-tools-only is set)");
  input.tools = tools.tools;
  return start_with(api, call, OGAS_TRY(make_prompt(api, input)), std::move(answer), std::move(stream_head));
}

ApiResult<> ChatRun::start_with(Api& api, const Call& call, ChatPrompt prompt, std::unique_ptr<ChatAnswer> answer,
                                HttpReply stream_head) {
  request.prompt = std::move(prompt.tokens);
  const OutputFormat& format = api.format(/*has_tools=*/!tools.tools.is_null());
  request.shown_control = marks_of(format);
  OGAS_TRY(constrain(api, request, form, tools));
  answer->parallel_calls_ = tools.parallel;
  answer->n_open_ = n;
  std::vector<Request> requests(n, request);
  for (uint32_t idx = 0; idx < n; ++idx) {
    requests[idx].sampling.seed += idx;
    answer->choices.push_back({.parser = OutputParser(format, tools.tools, prompt.starts_in_reasoning, calls)});
  }
  if (streams) call.exchange->expect_stream(std::move(stream_head));
  feed_answers(api, call, std::move(requests),
               [answer = std::move(answer)](std::span<FeedEvent> events) { return answer->take(events); });
  return {};
}

}  // namespace ogas::server
