// The answers to one request, from the engine's thread to the I/O thread, as they come.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/api.h"

namespace ogas::server {

struct DrawnToken {
  TokenId id;
  Logprobs logprobs;
};

// What came of one of them since the last time.
struct FeedEvent {
  size_t answer_idx = 0;
  std::optional<AnswerStats> prompt = {};  // once it is computed, where that was asked for
  std::string text = {};
  std::vector<DrawnToken> tokens = {};        // where log-probabilities were asked for; the ending one, too
  std::optional<Result<Answer>> answer = {};  // once it is done; the last event
  bool is_enough = false;                     // set by the receiver: the answer ends here, and reports its cost
};

// Called on the I/O thread, events in order. Returns whether it wants more: false ends all answers, and is the last
// call.
using TakeEvents = std::move_only_function<bool(std::span<FeedEvent> events)>;

// Computes these requests together. They end if the client disconnects. Tokens are charged to the call's client.
// tells_prompts: there is an event once a prompt is computed, which may have no text yet.
void feed_answers(Api& api, const Call& call, std::vector<Request> requests, TakeEvents take,
                  bool tells_prompts = false);

}  // namespace ogas::server
