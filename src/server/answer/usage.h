// Tokens of a prompt and its answers, as OpenAI's APIs count them.
#pragma once

#include "engine/answer_figures.h"
#include "server/api.h"

namespace ogas::server {

struct Usage {
  AnswerStats sum = {};

  // Of one more answer to the same prompt, or to another.
  void add(const AnswerStats& stats, bool is_same_prompt) { add_counts(sum, stats, is_same_prompt); }
  Json json() const {
    Json usage = Json::object();
    add_figures(usage, sum, &AnswerFigure::usage);
    return usage;
  }
};

}  // namespace ogas::server
