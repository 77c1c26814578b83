// Answers to a conversation: text as it streams, split into reasoning, content and tool calls. Derived classes say how
// an API shows them.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "chat/output_parser.h"
#include "server/answer/answer_feed.h"
#include "server/request/answer_form.h"
#include "server/request/chat_prompt.h"

namespace ogas::server {

struct ChatCall {
  std::string id, name, arguments;  // "call_..."; arguments: JSON, as far as it has come
  bool is_whole = false;
};

struct ChatChoice {
  OutputParser parser;
  std::string content = {}, reasoning = {};
  std::vector<ChatCall> calls = {};
  bool has_enough = false;  // no more of it is wanted, and what it took is yet to be told
  bool is_done = false;

  bool has_whole_call() const { return std::ranges::any_of(calls, &ChatCall::is_whole); }
  // Whether something else than the model, or the request's own words for an end, ended it.
  bool is_cut(const Answer& answer) const {
    return !has_enough && answer.finish != FinishReason::stop && answer.finish != FinishReason::stop_text;
  }
};

// On the I/O thread.
class ChatAnswer {
 public:
  virtual ~ChatAnswer() = default;
  // Whether more is wanted.
  bool take(std::span<FeedEvent> events);

 protected:
  ChatAnswer(Api& served, HttpExchangePtr reply_channel) : api(served), exchange(std::move(reply_channel)) {}

  // A prompt is computed; only where ChatRun::tells_prompts.
  virtual void begin(const AnswerStats&) {}
  // What has just come of an answer; the choice has it already. `tokens`: those drawn for it, where log-probabilities
  // were asked for.
  virtual void add(size_t idx, const OutputPiece& piece, std::vector<DrawnToken> tokens) = 0;
  // An answer is whole.
  virtual void finish(size_t idx, const Answer& answer) = 0;
  // All are.
  virtual void end() = 0;
  virtual void fail(const ApiError& error) = 0;

  Api& api;
  HttpExchangePtr exchange;
  std::vector<ChatChoice> choices;

 private:
  friend struct ChatRun;
  std::vector<OutputPiece> read(ChatChoice& choice, std::string_view text, bool is_last) const;
  void add_piece(size_t idx, const OutputPiece& piece, std::vector<DrawnToken> tokens);
  void take_piece(FeedEvent& events);
  size_t n_open_ = 0;
  bool parallel_calls_ = true;
};

// A conversation to be answered.
struct ChatRun {
  ChatInput input = {};
  ToolFields tools = {};
  Request request = {};
  std::optional<AnswerForm> form = {};
  uint32_t n = 1;
  bool streams = false;
  bool tells_prompts = false;  // to ChatAnswer::begin()
  CallDelivery calls = CallDelivery::streamed;

  // Has it computed; what comes of it is the answer's. Errors: as make_prompt().
  ApiResult<> start(Api& api, const Call& call, std::unique_ptr<ChatAnswer> answer, HttpReply stream_head);
  // The same with a prompt in place of the input.
  ApiResult<> start_with(Api& api, const Call& call, std::vector<TokenId> prompt, std::unique_ptr<ChatAnswer> answer,
                         HttpReply stream_head);
};

}  // namespace ogas::server
