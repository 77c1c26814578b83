#include "capi/request.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "capi/boundary.h"
#include "engine/dry.h"

namespace ogas::capi {
namespace {

// Calls copy(option, its counterpart) for all that is one number here and there, in whichever direction.
template <class Options, class Sampling, class Copy>
void for_sampling(Options& options, Sampling& sampling, const Copy& copy) {
  copy(options.temperature, sampling.temperature);
  copy(options.top_k, sampling.top_k);
  copy(options.typical_p, sampling.typical_p);
  copy(options.top_p, sampling.top_p);
  copy(options.min_p, sampling.min_p);
  copy(options.repetition_penalty, sampling.repetition_penalty);
  copy(options.frequency_penalty, sampling.frequency_penalty);
  copy(options.presence_penalty, sampling.presence_penalty);
  copy(options.penalty_window, sampling.penalty_window);
  copy(options.seed, sampling.seed);
  copy(options.dry_multiplier, sampling.dry_multiplier);
  copy(options.dry_base, sampling.dry_base);
  copy(options.dry_allowed_length, sampling.dry_allowed_length);
  copy(options.n_top_logprobs, sampling.n_logprobs);
  copy(options.xtc_probability, sampling.xtc_probability);
  copy(options.xtc_threshold, sampling.xtc_threshold);
  copy(options.mirostat, sampling.mirostat);
  copy(options.mirostat_tau, sampling.mirostat_tau);
  copy(options.mirostat_eta, sampling.mirostat_eta);
}

// What is said of single tokens. Errors: usage.
Result<> read_tokens(const ogas_generate_options& options, SamplingOptions& sampling) {
  for (const ogas_logit_bias& entry : OGAS_TRY(read_array(options.logit_bias, options.n_logit_bias, "logit_bias")))
    sampling.logit_bias.push_back({.id = entry.token, .bias = entry.bias});
  const auto banned = OGAS_TRY(read_array(options.banned_tokens, options.n_banned_tokens, "banned_tokens"));
  const auto required = OGAS_TRY(read_array(options.required_tokens, options.n_required_tokens, "required_tokens"));
  sampling.banned_tokens.assign(banned.begin(), banned.end());
  sampling.required_tokens.assign(required.begin(), required.end());
  return {};
}

// What of DRY is no number that is the same here and there. Errors: usage, unsupported.
Result<> read_dry(const Engine& engine, const ogas_generate_options& options, SamplingOptions& sampling) {
  constexpr uint32_t kMost = INT32_MAX;
  if (options.dry_base == 0) sampling.dry_base = SamplingOptions{}.dry_base;
  sampling.dry_penalty_last_n =
      options.dry_window == 0 ? -1 : static_cast<int32_t>(std::min(options.dry_window, kMost));
  const auto given = OGAS_TRY(read_strings(options.dry_breakers, options.n_dry_breakers, "dry_breakers"));
  if (std::ranges::any_of(given, &std::string::empty)) return fail(ErrorCode::usage, "one of dry_breakers is empty");
  const std::vector<std::string> breakers = options.dry_breakers ? given : usual_dry_breakers();
  if (options.dry_multiplier == 0 || breakers.empty()) return {};
  if (engine.tokenizer())
    sampling.dry_sequence_breakers = tokens_containing(*engine.tokenizer(), breakers);
  else if (options.dry_breakers)
    return std::unexpected(engine.tokenizer_or_error().error());
  return {};
}

}  // namespace

ogas_generate_options recommended_options(const Engine& engine) {
  ogas_generate_options options{};
  for_sampling(options, engine.recommended_sampling(), [](auto& option, const auto& value) { option = value; });
  options.n_keep = Request{}.n_keep;
  return options;
}

Result<Request> make_request(const Engine& engine, const ogas_generate_options* given) {
  const auto options = OGAS_TRY(read_struct(given, recommended_options(engine), "ogas_generate_options"));
  Request request;
  request.max_tokens = options.max_tokens;
  request.ignore_end = options.ignore_end != 0;
  request.slides = options.context_shift != 0;
  request.n_keep = static_cast<uint32_t>(std::min<size_t>(options.n_keep, UINT32_MAX));
  request.priority = options.priority;
  if (options.client) request.client = options.client;
  request.deadline_seconds = options.deadline_seconds;
  request.stop = OGAS_TRY(read_strings(options.stop, options.n_stop, "stop"));
  request.sampling = engine.recommended_sampling();
  for_sampling(options, request.sampling, [](const auto& option, auto& value) { value = option; });
  if (options.seed == UINT64_MAX) request.sampling.seed = std::random_device{}();
  request.sampling.report_logprob = options.logprobs != 0;
  OGAS_TRY(read_tokens(options, request.sampling));
  OGAS_TRY(read_dry(engine, options, request.sampling));
  return request;
}

}  // namespace ogas::capi
