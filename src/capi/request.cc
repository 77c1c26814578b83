#include "capi/request.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "capi/boundary.h"
#include "engine/answer_grammars.h"
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
#define OGAS_FIELD(name) \
  RequestField { #name, &ogas_generate_options::name }
constexpr RequestField kRequestFields[] = {
    OGAS_FIELD(max_tokens), OGAS_FIELD(ignore_eos), OGAS_FIELD(context_shift),    OGAS_FIELD(n_keep),
    OGAS_FIELD(priority),   OGAS_FIELD(client),     OGAS_FIELD(deadline_seconds), OGAS_FIELD(thinking_budget),
};
#undef OGAS_FIELD

// From here to there: text that may be NULL, switches, numbers that may not fit.
template <class Value, class Target>
void convert(const Value& value, Target& target) {
  if constexpr (std::is_same_v<Target, std::string> && std::is_same_v<Value, const char*>)
    target = value ? value : "";
  else if constexpr (std::is_same_v<Target, bool> && std::is_integral_v<Value>)
    target = value != 0;
  else if constexpr (std::is_unsigned_v<Target> && std::is_unsigned_v<Value>)
    target = static_cast<Target>(std::min<uint64_t>(value, std::numeric_limits<Target>::max()));
  else if constexpr (std::is_arithmetic_v<Target> && std::is_arithmetic_v<Value>)
    target = static_cast<Target>(value);
}

// Calls copy(option, its counterpart) for all that is one value here and there.
template <class Options, class OurRequest, class Copy>
void for_request(Options& options, OurRequest& request, const Copy& copy) {
  for (const RequestSetting& setting : request_settings()) {
    if (setting.is_list()) continue;
    const auto* found = std::ranges::find(kRequestFields, setting.name, &RequestField::name);
    OGAS_CHECK(found != std::end(kRequestFields), "ogas_generate_options lacks {}", setting.name);
    std::visit([&](auto member, auto field) { copy(options.*field, request.*member); }, setting.member, found->field);
  }
}

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

// 0 is what was there before there was a limit. Errors: usage.
Result<> read_thinking(const ogas_generate_options& options, Request& request) {
  const int budget = options.thinking_budget;
  request.thinking_budget = budget == 0 ? -1 : budget == OGAS_NO_THINKING ? 0 : budget;
  return budget == OGAS_NO_THINKING ? Result<>() : find_request_setting("thinking_budget")->check(request);
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

std::span<const RequestField> request_fields() { return kRequestFields; }

ogas_generate_options recommended_options(const Engine& engine) {
  ogas_generate_options options{};
  for_sampling(options, engine.text().recommended_sampling(), [](auto& option, const auto& value) { option = value; });
  const Request usual;
  for_request(options, usual, [](auto& option, const auto& value) { convert(value, option); });
  return options;
}

Result<ogas_generate_options> read_options(const Engine& engine, const ogas_generate_options* given) {
  return read_struct(given, recommended_options(engine), "ogas_generate_options");
}

Result<Request> make_request(const Engine& engine, const ogas_generate_options& options) {
  Request request;
  for_request(options, request, [](const auto& option, auto& value) { convert(option, value); });
  OGAS_TRY(read_thinking(options, request));
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

namespace {

Result<std::optional<grammar::GrammarSource>> read_form(const ogas_generate_options& options) {
  using grammar::GrammarSource;
  std::vector<GrammarSource> forms;
  if (options.json_schema) forms.push_back(GrammarSource::json_schema(options.json_schema));
  if (options.regex) forms.push_back(GrammarSource::regex(options.regex));
  if (options.grammar) forms.push_back(GrammarSource::gbnf(options.grammar));
  if (options.choices || options.n_choices > 0)
    forms.push_back(GrammarSource::choice(OGAS_TRY(read_strings(options.choices, options.n_choices, "choices"))));
  if (forms.size() > 1)
    return fail(ErrorCode::usage, "two of json_schema, regex, grammar and choices are set; one of them may be");
  return forms.empty() ? std::nullopt : std::optional(std::move(forms.front()));
}

Result<std::optional<CallRules>> read_calls(const ogas_generate_options& options, const nlohmann::ordered_json& tools) {
  const std::string_view choice = options.tool_choice ? options.tool_choice : "auto";
  CallRules rules{.tools = callable_tools(tools), .is_required = choice != "auto"};
  if (rules.tools.empty()) {
    if (rules.is_required) return fail(ErrorCode::usage, "tool_choice is '{}', and there are no tools", choice);
    return std::nullopt;
  }
  if (rules.is_required && choice != "required") {
    std::erase_if(rules.tools, [&](const CallableTool& tool) { return tool.name != choice; });
    if (rules.tools.empty()) return fail(ErrorCode::usage, "tool_choice is '{}', which is none of the tools", choice);
  }
  if (options.max_tool_calls > 0)
    rules.max_calls = static_cast<uint32_t>(std::min<size_t>(options.max_tool_calls, UINT32_MAX));
  return rules;
}

}  // namespace

Result<> set_form(const Engine& engine, const ogas_generate_options& options, const nlohmann::ordered_json& tools,
                  Request& request) {
  const AnswerRules rules{.content = OGAS_TRY(read_form(options)), .calls = OGAS_TRY(read_calls(options, tools))};
  return rules.content || rules.calls ? engine.text().constrain(request, rules) : Result<>();
}

}  // namespace ogas::capi
