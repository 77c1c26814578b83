// POST /v1/completions
//
// Fields: prompt (a text, texts, tokens, or arrays of tokens), model, max_tokens (16 where it is missing, 0 with echo,
// -1: no limit), n, best_of, echo, logprobs (0 to 20), stream, stream_options, stop, seed, temperature and the other
// ways to choose tokens (request_fields.cc). With echo and logprobs the prompt's own tokens are scored, as evaluation
// harnesses want it.
#include <algorithm>
#include <utility>

#include "server/answer/answer_feed.h"
#include "server/answer/completion_head.h"
#include "server/answer/token_text.h"
#include "server/endpoints/endpoints.h"
#include "server/request/read_tokens.h"
#include "server/request/request_fields.h"

namespace ogas::server {
namespace {

constexpr size_t kMaxPrompts = 2048;

struct CompletionRequest {
  std::vector<PromptText> prompts;
  Request request;
  std::optional<AnswerForm> form;
  StreamFields stream;
  uint32_t n = 1, best_of = 1;
  bool echo = false;
  bool wants_logprobs = false;
};

ApiResult<CompletionRequest> read_completion(const Api& api, const Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  OGAS_TRY(api.check_model(fields));
  CompletionRequest result;
  result.request = OGAS_TRY(read_request(api, call.client, fields, {"max_tokens"}));
  Request& request = result.request;
  constexpr uint32_t kDefaultTokens = 16;  // OpenAI's
  if (!fields.find("max_tokens")) request.max_tokens = kDefaultTokens;
  result.prompts = OGAS_TRY(read_prompts(api, fields, "prompt", TextKind::prompt, kMaxPrompts));
  result.echo = OGAS_TRY(fields.boolean("echo")).value_or(false);
  if (request.only_prompt && !result.echo) return refuse("max_tokens", "max_tokens is 0, which needs echo to be true");
  if (const auto n = OGAS_TRY(fields.integer("logprobs", 0, 20))) {
    result.wants_logprobs = request.sampling.report_logprob = true;
    request.sampling.n_logprobs = static_cast<uint32_t>(*n);
    if (result.echo) request.prompt_logprobs = request.sampling.n_logprobs;
  }
  result.n = OGAS_TRY(read_n(api, fields));
  result.best_of =
      static_cast<uint32_t>(OGAS_TRY(fields.integer("best_of", result.n, api.options.max_choices)).value_or(result.n));
  if (result.best_of > result.n) request.sampling.report_logprob = true;
  result.stream = OGAS_TRY(read_stream(fields));
  if (result.stream.stream && result.best_of > result.n)
    return refuse("best_of", "the best of several answers cannot be streamed");
  if (const auto suffix = OGAS_TRY(fields.text("suffix")); suffix && !suffix->empty())
    return refuse("suffix", "suffix: text after the answer is not supported");
  result.form = OGAS_TRY(read_answer_form(fields));
  ignore_bookkeeping(fields);
  OGAS_TRY(fields.finish());
  return result;
}

// One of the answers, as far as it has come: answer sample_idx to prompt prompt_idx.
struct Choice {
  size_t prompt_idx;
  std::string text = {};
  CompletionLogprobs logprobs;
  std::vector<DrawnToken> tokens = {};  // that have not been added yet
  double rank = 0;
  std::string_view finish = "stop";
};

class CompletionAnswer {
 public:
  CompletionAnswer(Api& api, HttpExchangePtr exchange, CompletionRequest asked)
      : api_(api),
        exchange_(std::move(exchange)),
        asked_(std::move(asked)),
        n_open_(asked_.prompts.size() * asked_.best_of),
        head_{.id = new_id("cmpl-")} {
    for (size_t prompt_idx = 0; prompt_idx < asked_.prompts.size(); ++prompt_idx)
      for (uint32_t sample = 0; sample < asked_.best_of; ++sample)
        choices_.push_back({.prompt_idx = prompt_idx, .logprobs = CompletionLogprobs(*api.engine.text().tokenizer())});
    echoes_.resize(choices_.size(), !asked_.echo);
  }

  bool take(std::span<FeedEvent> events) {
    for (FeedEvent& one : events) {
      if (one.answer && !*one.answer) return end_with(ApiError(one.answer->error()));
      const size_t idx = one.answer_idx;
      Choice& choice = choices_[idx];
      std::ranges::move(one.tokens, std::back_inserter(choice.tokens));
      // Of a prompt that is scored the scores come with the end only.
      const bool waits = asked_.request.prompt_logprobs.has_value() && !one.answer;
      std::string text = std::move(one.text);
      if (waits) {
        choice.text += text;
        continue;
      }
      if (asked_.request.prompt_logprobs) text = std::exchange(choice.text, {}) + text;
      if (!echoes_[idx]) {
        echoes_[idx] = true;
        text = asked_.prompts[choice.prompt_idx].text + text;
        if (one.answer) add_prompt_logprobs(choice, **one.answer);
      }
      if (asked_.wants_logprobs)
        for (const DrawnToken& drawn : std::exchange(choice.tokens, {})) choice.logprobs.add(drawn.id, &drawn.logprobs);
      if (one.answer) finish(idx, **one.answer);
      if (asked_.stream.stream)
        send_chunk(idx, std::move(text), one.answer ? Json(choice.finish) : Json());
      else
        choice.text += text;
    }
    if (n_open_ > 0) return true;
    end();
    return false;
  }

 private:
  void add_prompt_logprobs(Choice& choice, const Answer& answer) {
    if (!asked_.wants_logprobs) return;
    const std::vector<TokenId>& prompt = asked_.prompts[choice.prompt_idx].tokens;
    for (size_t idx = 0; idx < prompt.size(); ++idx)
      choice.logprobs.add(prompt[idx], idx == 0 ? nullptr : &answer.prompt_logprobs[idx - 1]);
  }

  void finish(size_t idx, const Answer& answer) {
    Choice& choice = choices_[idx];
    --n_open_;
    usage_.add(answer.stats, idx % asked_.best_of > 0);
    choice.rank = answer.mean_logprob();
    const bool is_ended = answer.finish == FinishReason::stop || answer.finish == FinishReason::stop_text;
    choice.finish = is_ended ? "stop" : "length";
  }

  bool end_with(const ApiError& error) {
    reply_error(*exchange_, error);  // at the end of a stream that has begun
    return false;
  }

  Json head() const { return head_.json(api_, "text_completion"); }

  Json choice_json(size_t shown_idx, Choice& choice, std::string text, Json reason) {
    return {{"text", std::move(text)},
            {"index", shown_idx},
            {"logprobs", asked_.wants_logprobs ? choice.logprobs.take() : Json()},
            {"finish_reason", std::move(reason)}};
  }

  void send_chunk(size_t idx, std::string text, Json reason) {
    exchange_->begin_stream(events_head());
    Json chunk = head();
    chunk["choices"] = Json::array({choice_json(idx, choices_[idx], std::move(text), std::move(reason))});
    if (asked_.stream.include_usage) chunk["usage"] = nullptr;
    exchange_->write(event(chunk));
  }

  void end() {
    if (asked_.stream.stream) return end_completion(*exchange_, head(), usage_, asked_.stream.include_usage);
    Json choices = Json::array();
    for (size_t begin = 0; begin < choices_.size(); begin += asked_.best_of) {
      const std::span<Choice> all = std::span(choices_).subspan(begin, asked_.best_of);
      if (asked_.best_of > asked_.n) std::ranges::stable_sort(all, std::ranges::greater{}, &Choice::rank);
      for (Choice& choice : all.first(asked_.n))
        choices.push_back(choice_json(choices.size(), choice, std::move(choice.text), Json(choice.finish)));
    }
    reply_completion(*exchange_, head(), std::move(choices), usage_);
  }

  Api& api_;
  HttpExchangePtr exchange_;
  CompletionRequest asked_;
  std::vector<Choice> choices_;
  std::vector<bool> echoes_;  // whose prompt has been said
  size_t n_open_;
  CompletionHead head_;
  Usage usage_;
};

}  // namespace

ApiResult<> completions(Api& api, Call& call) {
  CompletionRequest asked = OGAS_TRY(read_completion(api, call));
  if (asked.form) OGAS_TRY(constrain(api, asked.request, *asked.form));
  std::vector<Request> requests;
  for (const PromptText& prompt : asked.prompts) {
    Request request = asked.request;
    request.prompt = prompt.tokens;
    api.engine.text().start_answer(request);
    for (uint32_t sample = 0; sample < asked.best_of; ++sample) {
      requests.push_back(request);
      requests.back().sampling.seed += sample;
    }
  }
  if (asked.stream.stream) call.exchange->expect_stream(events_head());
  auto answer = std::make_unique<CompletionAnswer>(api, call.exchange, std::move(asked));
  feed_answers(api, call, std::move(requests),
               [answer = std::move(answer)](std::span<FeedEvent> events) { return answer->take(events); });
  return {};
}

}  // namespace ogas::server
