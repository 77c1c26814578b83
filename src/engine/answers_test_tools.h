// Answers of a request alone, to compare with its answers in a batch.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "engine/scheduler.h"

namespace ogas::testing {

inline Answer answer_alone(Engine& engine, const Request& request) {
  Scheduler scheduler(engine);
  Answer alone;
  EXPECT_TRUE(scheduler.submit(request, [&](Result<Answer> answer) { alone = *std::move(answer); }));
  while (scheduler.step()) {
  }
  return alone;
}

// Log-probabilities show the bits that tokens alone hide.
inline void expect_beginning(const Answer& found, const Answer& expected) {
  ASSERT_LE(found.tokens.size(), expected.tokens.size());
  for (size_t idx = 0; idx < found.tokens.size(); ++idx) {
    ASSERT_EQ(found.tokens[idx], expected.tokens[idx]) << "token " << idx;
    ASSERT_EQ(found.logprobs[idx].chosen, expected.logprobs[idx].chosen) << "token " << idx;
  }
}

}  // namespace ogas::testing
