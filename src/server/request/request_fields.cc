#include "server/request/request_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <type_traits>
#include <utility>

#include "engine/answer_grammars.h"
#include "engine/request_settings.h"
#include "server/request/prompt_effect.h"

namespace ogas::server {
namespace {

// OpenAI: {"15043": -100, ...}; -100 bans a token.
ApiResult<> read_logit_bias(const Api& api, Fields& fields, SamplingOptions& sampling) {
  const Json* given = fields.find("logit_bias");
  if (!given) return {};
  if (!given->is_object())
    return refuse(fields.path_of("logit_bias"), "logit_bias is {}, where an object is expected", kind_of(*given));
  for (const auto& [name, value] : given->items()) {
    const std::string path = fmt::format("{}.{}", fields.path_of("logit_bias"), name);
    TokenId id = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc() || end != name.data() + name.size() || id < 0 ||
        static_cast<uint64_t>(id) >= api.engine.facts().n_vocab)
      return refuse(path, "'{}' is not a token id of this model", name);
    if (!value.is_number() || !(value.get<double>() >= -100 && value.get<double>() <= 100))
      return refuse(path, "{} is {}, where a number from -100 to 100 is expected", path, to_text(value));
    const auto bias = value.get<float>();
    if (bias <= -100)
      sampling.banned_tokens.push_back(id);
    else
      sampling.logit_bias.push_back({id, bias});
  }
  return {};
}

// The one of a setting's two names that the fields have, or the first.
template <class Setting>
ApiResult<std::string_view> name_in(Fields& fields, const Setting& setting) {
  if (setting.json_alias.empty() || !fields.find(setting.json_alias)) return setting.name;
  if (!fields.find(setting.name)) return setting.json_alias;
  return refuse(fields.path_of(setting.json_alias), "{} and {} are two names for one thing; one is enough",
                setting.name, setting.json_alias);
}

// One number of sampling_settings(), by either of its names.
ApiResult<> read_setting(Fields& fields, const SamplingSetting& setting, SamplingOptions& sampling) {
  const std::string_view name = OGAS_TRY(name_in(fields, setting));
  const auto read = [&]<class Member>(Member member) -> ApiResult<> {
    if constexpr (!std::is_same_v<Member, std::monostate>) {
      using Number = std::remove_reference_t<decltype(sampling.*member)>;
      const auto [min, max] = setting.json_range;
      if constexpr (std::is_floating_point_v<Number>) {
        if (const auto given = OGAS_TRY(fields.number(name, min, max))) sampling.*member = static_cast<Number>(*given);
      } else if constexpr (std::is_same_v<Number, uint64_t>) {  // a seed: any number, and -1 is kRandomSeed
        constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
        if (const auto given = OGAS_TRY(fields.integer(name, kMin, kMax)))
          sampling.*member = static_cast<Number>(*given);
      } else {
        const int64_t lowest = setting.minus_one ? -1 : static_cast<int64_t>(min);
        if (const auto given = OGAS_TRY(fields.integer(name, lowest, static_cast<int64_t>(max))))
          sampling.*member = static_cast<Number>(*given < 0 && setting.minus_one ? *setting.minus_one : *given);
      }
    }
    return {};
  };
  return std::visit(read, setting.member);
}

// One row of request_settings().
ApiResult<> read_setting(Fields& fields, const RequestSetting& setting, Request& request) {
  const auto [min, max] = setting.json_range;
  const std::string_view name = OGAS_TRY(name_in(fields, setting));
  const auto read = [&](auto member) -> ApiResult<> {
    auto& value = request.*member;
    using Value = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool>) {
      value = OGAS_TRY(fields.boolean(name)).value_or(value);
    } else if constexpr (std::is_same_v<Value, int> || std::is_same_v<Value, uint32_t>) {
      if (const auto given = OGAS_TRY(fields.integer(name, min, max))) value = static_cast<Value>(*given);
    } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
      value = OGAS_TRY(fields.texts(name, static_cast<size_t>(max)));
      if (std::ranges::find(value, "") != value.end()) return refuse(name, "a {} text is empty", name);
    }
    return {};
  };
  return std::visit(read, setting.member);
}

// By one of the endpoint's names for it. 0: only the prompt is computed; -1: there is no limit.
ApiResult<> read_max_tokens(Fields& fields, const RequestSetting& setting,
                            std::initializer_list<std::string_view> names, Request& request) {
  bool is_given = false;
  for (const std::string_view name : names)
    if (const auto n = OGAS_TRY(fields.integer(name, setting.json_range.min, setting.json_range.max))) {
      if (std::exchange(is_given, true))
        return refuse(name, "{} are two names for one thing; one is enough", fmt::join(names, " and "));
      request.max_tokens = static_cast<uint32_t>(std::max<int64_t>(*n, 0));
      request.only_prompt = *n == 0;
    }
  return {};
}

ApiResult<> read_breakers(const Api& api, Fields& fields, SamplingOptions& sampling) {
  const std::vector<std::string> breakers = OGAS_TRY(fields.texts("dry_sequence_breakers", 32));
  if (sampling.dry_multiplier > 0) set_dry_breakers(sampling, *OGAS_TRY(api.tokenizer()), breakers);
  return {};
}

}  // namespace

ApiResult<Request> read_request(const Api& api, const Client& client, Fields& fields,
                                std::initializer_list<std::string_view> names_of_max_tokens) {
  Request request{.sampling = api.options.sampling, .client = client.share()};
  SamplingOptions& sampling = request.sampling;
  sampling.seed = SamplingOptions::kRandomSeed;
  for (const SamplingSetting& setting : sampling_settings()) OGAS_TRY(read_setting(fields, setting, sampling));
  OGAS_TRY(read_breakers(api, fields, sampling));
  OGAS_TRY(read_logit_bias(api, fields, sampling));
  sampling.draw_seed();
  for (const RequestSetting& setting : request_settings()) {
    if (setting.name == "max_tokens")
      OGAS_TRY(read_max_tokens(fields, setting, names_of_max_tokens, request));
    else if (setting.is_in_json)
      OGAS_TRY(read_setting(fields, setting, request));
  }
  const std::string_view thinking = OGAS_TRY(name_in(fields, *find_request_setting("thinking_budget")));
  OGAS_TRY(check_thinking(api, fields.path_of(thinking), request));
  OGAS_TRY(sampling.validate());
  return request;
}

ApiResult<StreamFields> read_stream(Fields& fields) {
  StreamFields result{.stream = OGAS_TRY(fields.boolean("stream")).value_or(false)};
  const Json* given = fields.find("stream_options");
  if (!given) return result;
  if (!result.stream)
    return refuse(fields.path_of("stream_options"), "stream_options is for streams, and stream is not true");
  Fields options = OGAS_TRY(Fields::of(*given, fields.path_of("stream_options")));
  result.include_usage = OGAS_TRY(options.boolean("include_usage")).value_or(false);
  options.ignore({"include_obfuscation"});
  OGAS_TRY(options.finish());
  return result;
}

ApiResult<uint32_t> read_n(const Api& api, Fields& fields) {
  return static_cast<uint32_t>(OGAS_TRY(fields.integer("n", 1, api.options.max_choices)).value_or(1));
}

// All of them are the request's, which asks for something that cannot be done.
ApiResult<> constrain(const Api& api, Request& request, const AnswerForm& form) {
  const auto done = api.engine.text().constrain(request, {.content = form.source});
  if (done) return {};
  return refuse(form.path, "{}: {}", form.path, done.error().message);
}

ApiResult<> constrain(const Api& api, Request& request, const std::optional<AnswerForm>& form,
                      const ToolFields& tools) {
  if (!tools.rules) return form ? constrain(api, request, *form) : ApiResult<>();
  const auto done = api.engine.text().constrain(
      request, {.content = form ? std::optional(form->source) : std::nullopt, .calls = tools.rules});
  if (done) return {};
  return refuse("tools", "tools: {}", done.error().message);
}

void ignore_bookkeeping(Fields& fields) {
  fields.allow_empty({"functions", "stop_token_ids", "bad_words", "logits_processors"});
  fields.ignore(
      {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"});
}

}  // namespace ogas::server
