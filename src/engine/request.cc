#include "engine/request.h"

#include <limits>
#include <utility>

namespace ogas {

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop: return "stop";
    case FinishReason::stop_text: return "stop_text";
    case FinishReason::length: return "length";
    case FinishReason::cancelled: return "cancelled";
    case FinishReason::deadline: return "deadline";
  }
  std::unreachable();
}

StepCost StepCost::share_of(uint64_t n) const {
  return {.n_rows = n, .seconds = seconds * static_cast<double>(n) / static_cast<double>(n_rows)};
}

StepCost& StepCost::operator+=(const StepCost& other) {
  n_rows += other.n_rows;
  seconds += other.seconds;
  return *this;
}

double AnswerStats::prefill_rate() const { return prefill_seconds > 0 ? (n_prompt - n_cached) / prefill_seconds : 0; }

double AnswerStats::decode_rate() const {
  // The first token comes with the prefill.
  return decode_seconds > 0 && n_generated > 1 ? (n_generated - 1) / decode_seconds : 0;
}

double Answer::mean_logprob() const {
  if (logprobs.empty()) return -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (const Logprobs& one : logprobs) sum += one.chosen;
  return sum / static_cast<double>(logprobs.size());
}

}  // namespace ogas
