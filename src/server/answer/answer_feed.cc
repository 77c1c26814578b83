#include "server/answer/answer_feed.h"

#include <exception>
#include <mutex>
#include <utility>

#include "base/log.h"

namespace ogas::server {
namespace {

class Feed : public std::enable_shared_from_this<Feed> {
 public:
  Feed(Api& api, const Call& call, TakeEvents take)
      : api_(api),
        exchange_(call.exchange),
        client_(call.client),
        request_id_(call.request.id),
        error_reply_(call.error_reply),
        take_(std::move(take)) {}

  void start(std::vector<Request> requests, bool tells_prompts) {
    n_open_ = requests.size();
    for (size_t idx = 0; idx < requests.size(); ++idx) {
      Request& request = requests[idx];
      if (tells_prompts)
        request.on_prompt = [self = shared_from_this(), idx](const AnswerStats& stats) {
          self->push(idx, [&](FeedEvent& events) { events.prompt = stats; });
        };
      request.on_text = [self = shared_from_this(), idx](std::string_view text) {
        self->push(idx, [&](FeedEvent& events) { events.text += text; });
      };
      request.on_token = [self = shared_from_this(), idx](TokenId id, const Logprobs* logprobs) {
        self->api_.metrics.count_token();
        if (logprobs) self->push(idx, [&](FeedEvent& events) { events.tokens.push_back({id, *logprobs}); });
      };
      ids_.push_back(
          api_.engine_thread.submit(std::move(request), [self = shared_from_this(), idx](Result<Answer> answer) {
            self->count(answer);
            self->push(idx, [&](FeedEvent& events) { events.answer = std::move(answer); });
          }));
    }
    exchange_->when_gone([self = shared_from_this()] {
      self->is_over_ = true;
      self->cancel_all();
    });
  }

 private:
  // On the engine's thread.
  void push(size_t idx, auto&& change) {
    bool wakes = false;
    {
      const std::lock_guard lock(mutex_);
      wakes = events_.empty();
      // Events of one answer between two looks are one.
      if (wakes || events_.back().answer_idx != idx || events_.back().answer) events_.push_back({.answer_idx = idx});
      change(events_.back());
    }
    if (wakes) exchange_->post([self = shared_from_this()] { self->deliver(); });
  }

  void count(const Result<Answer>& answer) {
    if (!answer) return;
    api_.metrics.count_answer(answer->stats, answer->finish);
    api_.keys.charge(client_, answer->stats.n_prompt - answer->stats.n_cached + answer->stats.n_generated);
  }

  // On the I/O thread.
  void deliver() {
    std::vector<FeedEvent> events;
    {
      const std::lock_guard lock(mutex_);
      events.swap(events_);
    }
    for (const FeedEvent& one : events) n_open_ -= one.answer.has_value();
    if (!is_over_ && !take_all(events)) {
      is_over_ = true;
      if (n_open_ > 0) cancel_all();
    }
    for (const FeedEvent& one : events)
      if (one.is_enough && !one.answer && !is_over_) api_.engine_thread.cancel(ids_[one.answer_idx]);
    if (n_open_ == 0) take_ = {};  // what it holds may hold this
  }

  bool take_all(std::span<FeedEvent> events) {
    try {
      return take_(events);
    } catch (const std::exception& exception) {
      spdlog::error("an answer: {}", exception.what());
      exchange_->reply(error_reply_(ApiError(500, "the server failed"), request_id_));
      return false;
    }
  }

  void cancel_all() {
    for (const EngineThread::RequestId id : ids_) api_.engine_thread.cancel(id);
  }

  Api& api_;
  HttpExchangePtr exchange_;
  Client client_;
  std::string request_id_;
  ErrorReply error_reply_;
  TakeEvents take_;
  std::vector<EngineThread::RequestId> ids_;
  size_t n_open_ = 0;
  bool is_over_ = false;
  std::mutex mutex_;
  std::vector<FeedEvent> events_;
};

}  // namespace

// On the I/O thread from the beginning, so that only the events are shared with the engine's thread.
void feed_answers(Api& api, const Call& call, std::vector<Request> requests, TakeEvents take, bool tells_prompts) {
  auto feed = std::make_shared<Feed>(api, call, std::move(take));
  auto shared = std::make_shared<std::vector<Request>>(std::move(requests));
  call.exchange->post([feed, shared, tells_prompts] { feed->start(std::move(*shared), tells_prompts); });
}

}  // namespace ogas::server
