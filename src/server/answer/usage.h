// Tokens of a prompt and its answers, as OpenAI's APIs count them.
#pragma once

#include "server/api.h"

namespace ogas::server {

struct Usage {
  uint64_t n_prompt = 0, n_cached = 0, n_generated = 0;

  // Of one more answer to the same prompt, or to another.
  void add(const AnswerStats& stats, bool is_same_prompt) {
    if (!is_same_prompt) {
      n_prompt += stats.n_prompt;
      n_cached += stats.n_cached;
    }
    n_generated += stats.n_generated;
  }
  Json json() const {
    return {{"prompt_tokens", n_prompt},
            {"completion_tokens", n_generated},
            {"total_tokens", n_prompt + n_generated},
            {"prompt_tokens_details", {{"cached_tokens", n_cached}}}};
  }
};

}  // namespace ogas::server
