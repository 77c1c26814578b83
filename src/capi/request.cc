#include "capi/request.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "capi/boundary.h"
#include "engine/request_settings.h"

namespace ogas::capi {
namespace {

#define OGAS_FIELD(name) \
  SamplingField { #name, &ogas_generate_options::name }
constexpr SamplingField kFields[] = {
    OGAS_FIELD(temperature),
    OGAS_FIELD(top_k),
    OGAS_FIELD(typical_p),
    OGAS_FIELD(top_p),
    OGAS_FIELD(min_p),
    OGAS_FIELD(repetition_penalty),
    OGAS_FIELD(frequency_penalty),
    OGAS_FIELD(presence_penalty),
    OGAS_FIELD(repeat_last_n),
    OGAS_FIELD(seed),
    OGAS_FIELD(dry_multiplier),
    OGAS_FIELD(dry_base),
    OGAS_FIELD(dry_allowed_length),
    OGAS_FIELD(dry_penalty_last_n),
    OGAS_FIELD(xtc_probability),
    OGAS_FIELD(xtc_threshold),
    OGAS_FIELD(mirostat),
    OGAS_FIELD(mirostat_tau),
    OGAS_FIELD(mirostat_eta),
};
#undef OGAS_FIELD

// Calls copy(option, its counterpart) for all that is one number here and there, in whichever direction. The two differ
// in type where they differ in meaning (dry_penalty_last_n).
template <class Options, class Sampling, class Copy>
void for_sampling(Options& options, Sampling& sampling, const Copy& copy) {
  for (const SamplingSetting& setting : sampling_settings()) {
    const auto found = std::ranges::find(kFields, setting.name, &SamplingField::name);
    if (found == std::end(kFields)) continue;
    std::visit(
        [&]<class Member, class Field>(Member member, Field field) {
          if constexpr (!std::is_same_v<Member, std::monostate>)
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(sampling.*member)>,
                                         std::remove_cvref_t<decltype(options.*field)>>)
              copy(options.*field, sampling.*member);
        },
        setting.member, found->field);
  }
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

// The options of DRY that are not plain numbers. Errors: usage, unsupported.
Result<> read_dry(const Engine& engine, const ogas_generate_options& options, SamplingOptions& sampling) {
  constexpr uint32_t kMax = INT32_MAX;
  if (options.dry_base == 0) sampling.dry_base = SamplingOptions{}.dry_base;
  sampling.dry_penalty_last_n =
      options.dry_penalty_last_n == 0 ? -1 : static_cast<int32_t>(std::min(options.dry_penalty_last_n, kMax));
  const auto given =
      OGAS_TRY(read_strings(options.dry_sequence_breakers, options.n_dry_sequence_breakers, "dry_sequence_breakers"));
  if (std::ranges::any_of(given, &std::string::empty))
    return fail(ErrorCode::usage, "one of dry_sequence_breakers is empty");
  const std::vector<std::string> breakers = options.dry_sequence_breakers ? given : default_dry_breakers();
  if (options.dry_multiplier == 0 || breakers.empty()) return {};
  if (engine.text().tokenizer())
    set_dry_breakers(sampling, *engine.text().tokenizer(), breakers);
  else if (options.dry_sequence_breakers)
    return std::unexpected(engine.text().tokenizer_or_error().error());
  return {};
}

}  // namespace

std::span<const SamplingField> sampling_fields() { return kFields; }

ogas_generate_options recommended_options(const Engine& engine) {
  ogas_generate_options options{};
  for_sampling(options, engine.text().recommended_sampling(), [](auto& option, const auto& value) { option = value; });
  options.n_keep = Request{}.n_keep;
  return options;
}

Result<Request> make_request(const Engine& engine, const ogas_generate_options* given) {
  const auto options = OGAS_TRY(read_struct(given, recommended_options(engine), "ogas_generate_options"));
  Request request;
  request.max_tokens = options.max_tokens;
  request.ignore_eos = options.ignore_eos != 0;
  request.context_shift = options.context_shift != 0;
  request.n_keep = static_cast<uint32_t>(std::min<size_t>(options.n_keep, UINT32_MAX));
  request.priority = options.priority;
  if (options.client) request.client = options.client;
  request.deadline_seconds = options.deadline_seconds;
  request.stop = OGAS_TRY(read_strings(options.stop, options.n_stop, "stop"));
  request.sampling = engine.text().recommended_sampling();
  for_sampling(options, request.sampling, [](const auto& option, auto& value) { value = option; });
  request.sampling.draw_seed();
  request.sampling.report_logprob = options.logprobs != 0;
  request.sampling.n_logprobs = options.n_top_logprobs;
  OGAS_TRY(read_tokens(options, request.sampling));
  OGAS_TRY(read_dry(engine, options, request.sampling));
  return request;
}

}  // namespace ogas::capi
