// POST /v1/chat/completions
//
// Fields: messages, model, max_tokens or max_completion_tokens, n, stream, stream_options, logprobs, top_logprobs,
// stop, seed, temperature and the other ways to choose tokens (request_fields.cc), tools, tool_choice ("auto", "none"),
// parallel_tool_calls, response_format and the other forms of an answer (answer_form.h), reasoning_effort,
// thinking_budget, chat_template_kwargs. A conversation that ends with the assistant's message is continued. Fields
// that would have to be enforced and are not are refused.
#include <utility>

#include "server/answer/chat_answer.h"
#include "server/answer/completion_head.h"
#include "server/answer/token_text.h"
#include "server/endpoints/endpoints.h"
#include "server/request/request_fields.h"

namespace ogas::server {
namespace {

struct ChatRequest {
  ChatRun run;
  StreamFields stream;
};

ApiResult<> read_logprobs(Fields& fields, SamplingOptions& sampling) {
  sampling.report_logprob = OGAS_TRY(fields.boolean("logprobs")).value_or(false);
  const auto n_top = OGAS_TRY(fields.integer("top_logprobs", 0, 20));
  if (n_top.value_or(0) > 0 && !sampling.report_logprob)
    return refuse(fields.path_of("top_logprobs"), "top_logprobs needs logprobs to be true");
  sampling.n_logprobs = static_cast<uint32_t>(n_top.value_or(0));
  return {};
}

ApiResult<ChatRequest> read_chat(const Api& api, const Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  OGAS_TRY(api.check_model(fields));
  ChatRequest chat;
  ChatRun& run = chat.run;
  run.input.messages = OGAS_TRY(read_messages(fields));
  run.request = OGAS_TRY(read_request(api, call.client, fields, {"max_tokens", "max_completion_tokens"}));
  if (run.request.only_prompt) return refuse("max_tokens", "max_tokens is 0, where at least 1 is expected");
  run.tools = OGAS_TRY(read_tools(fields));
  run.input.extra = OGAS_TRY(read_template_variables(api, fields, run.request));
  run.n = OGAS_TRY(read_n(api, fields));
  chat.stream = OGAS_TRY(read_stream(fields));
  run.streams = chat.stream.stream;
  run.form = OGAS_TRY(read_answer_form(fields));
  OGAS_TRY(read_logprobs(fields, run.request.sampling));
  if (const Json* modalities = fields.find("modalities"); modalities && *modalities != Json::array({"text"}))
    return refuse("modalities", "modalities is {}, and only [\"text\"] is supported", to_text(*modalities));
  ignore_bookkeeping(fields);
  OGAS_TRY(fields.finish());
  return chat;
}

std::string_view finish_reason(const ChatChoice& choice, const Answer& answer) {
  if (choice.is_cut(answer)) return "length";
  return choice.has_whole_call() ? "tool_calls" : "stop";
}

// By the two names that clients know it by.
void add_reasoning(const std::string& reasoning, Json& message) {
  if (reasoning.empty()) return;
  message["reasoning_content"] = reasoning;
  message["reasoning"] = reasoning;
}

// What both forms of the answer have in common.
class Completion : public ChatAnswer {
 public:
  Completion(Api& served, HttpExchangePtr reply_channel, const SamplingOptions& sampling)
      : ChatAnswer(served, std::move(reply_channel)),
        wants_logprobs_(sampling.wants_logprobs()),
        head_{.id = new_id("chatcmpl-")} {}

 protected:
  void fail(const ApiError& error) override { reply_error(*exchange, error); }

  Json head(std::string_view object) const { return head_.json(api, object); }

  Json logprobs_json(std::span<const DrawnToken> tokens) const {
    if (!wants_logprobs_) return nullptr;
    return {{"content", chat_logprobs(*api.engine.text().tokenizer(), tokens)}, {"refusal", nullptr}};
  }

  Usage usage;

 private:
  bool wants_logprobs_;
  CompletionHead head_;
};

class WholeCompletion final : public Completion {
 public:
  using Completion::Completion;

 private:
  void add(size_t idx, const OutputPiece&, std::vector<DrawnToken> tokens) override {
    tokens_.resize(choices.size());
    std::ranges::move(tokens, std::back_inserter(tokens_[idx]));
  }

  void finish(size_t idx, const Answer& answer) override {
    tokens_.resize(choices.size());
    results_.resize(choices.size());
    usage.add(answer.stats, idx > 0);
    const ChatChoice& choice = choices[idx];
    Json message = {{"role", "assistant"}, {"content", choice.content}, {"refusal", nullptr}};
    if (choice.content.empty() && !choice.calls.empty()) message["content"] = nullptr;
    add_reasoning(choice.reasoning, message);
    for (const ChatCall& call : choice.calls)
      message["tool_calls"].push_back(
          {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    results_[idx] = {{"index", idx},
                     {"message", std::move(message)},
                     {"logprobs", logprobs_json(tokens_[idx])},
                     {"finish_reason", finish_reason(choice, answer)}};
  }

  void end() override { reply_completion(*exchange, head("chat.completion"), std::move(results_), usage); }

  std::vector<std::vector<DrawnToken>> tokens_;
  std::vector<Json> results_;
};

class StreamedCompletion final : public Completion {
 public:
  StreamedCompletion(Api& served, HttpExchangePtr reply_channel, const ChatRequest& chat)
      : Completion(served, std::move(reply_channel), chat.run.request.sampling),
        tells_usage_(chat.stream.include_usage) {}

 private:
  void add(size_t idx, const OutputPiece& piece, std::vector<DrawnToken> tokens) override {
    Json delta = Json::object();
    add_reasoning(piece.reasoning, delta);
    if (!piece.content.empty()) delta["content"] = piece.content;
    for (const ToolCallPiece& part : piece.calls) {
      Json call = {{"index", part.index}};
      if (!part.name.empty()) {
        call["id"] = choices[idx].calls[part.index].id;
        call["type"] = "function";
        call["function"]["name"] = part.name;
      }
      call["function"]["arguments"] = part.arguments;
      delta["tool_calls"].push_back(std::move(call));
    }
    send(idx, std::move(delta), nullptr, tokens);
  }

  void finish(size_t idx, const Answer& answer) override {
    usage.add(answer.stats, idx > 0);
    send(idx, Json::object(), Json(finish_reason(choices[idx], answer)), {});
  }

  void end() override { end_completion(*exchange, head("chat.completion.chunk"), usage, tells_usage_); }

  void send(size_t idx, Json delta, Json reason, std::span<const DrawnToken> tokens) {
    if (!std::exchange(has_begun_, true)) {
      exchange->begin_stream(events_head());
      for (size_t each = 0; each < choices.size(); ++each)
        write(each, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
    }
    write(idx, std::move(delta), std::move(reason), tokens.empty() ? Json() : logprobs_json(tokens));
  }

  void write(size_t idx, Json delta, Json reason, Json logprobs) {
    Json chunk = head("chat.completion.chunk");
    chunk["choices"] = Json::array({{{"index", idx},
                                     {"delta", std::move(delta)},
                                     {"logprobs", std::move(logprobs)},
                                     {"finish_reason", std::move(reason)}}});
    if (tells_usage_) chunk["usage"] = nullptr;
    exchange->write(event(chunk));
  }

  bool tells_usage_, has_begun_ = false;
};

}  // namespace

ApiResult<> chat_completions(Api& api, Call& call) {
  ChatRequest chat = OGAS_TRY(read_chat(api, call));
  std::unique_ptr<ChatAnswer> answer;
  if (chat.run.streams)
    answer = std::make_unique<StreamedCompletion>(api, call.exchange, chat);
  else
    answer = std::make_unique<WholeCompletion>(api, call.exchange, chat.run.request.sampling);
  return chat.run.start(api, call, std::move(answer), events_head());
}

}  // namespace ogas::server
