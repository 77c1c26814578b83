#include "server/request/request_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <random>
#include <utility>

#include "engine/dry.h"

namespace ogas::server {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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
      return refuse(path, "'{}' is no token id of this model", name);
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

// Those that OpenAI's API lacks, by the names other servers gave them.
ApiResult<> read_rarer_sampling(const Api& api, Fields& fields, SamplingOptions& sampling) {
  const auto take = [&](std::string_view name, auto& value, double least, double most) -> ApiResult<> {
    if (const auto given = OGAS_TRY(fields.number(name, least, most)))
      value = static_cast<std::remove_reference_t<decltype(value)>>(*given);
    return {};
  };
  const auto take_whole = [&](std::string_view name, auto& value, int64_t least, int64_t most) -> ApiResult<> {
    if (const auto given = OGAS_TRY(fields.integer(name, least, most)))
      value = static_cast<std::remove_reference_t<decltype(value)>>(*given);
    return {};
  };
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  // Where -1 stands for no bound at all, which is `unbounded` here.
  const auto take_bound = [&](std::string_view name, uint32_t& value, uint32_t unbounded) -> ApiResult<> {
    if (const auto given = OGAS_TRY(fields.integer(name, -1, kMost)))
      value = *given < 0 ? unbounded : static_cast<uint32_t>(*given);
    return {};
  };
  OGAS_TRY(take_bound("top_k", sampling.top_k, 0));
  OGAS_TRY(take("min_p", sampling.min_p, 0, 1));
  OGAS_TRY(take("typical_p", sampling.typical_p, 0, 1));
  OGAS_TRY(take("repetition_penalty", sampling.repetition_penalty, 0, kInfinity));
  OGAS_TRY(take_bound("penalty_window", sampling.penalty_window, SamplingOptions::kWholeSequence));
  OGAS_TRY(take("xtc_probability", sampling.xtc_probability, 0, 1));
  OGAS_TRY(take("xtc_threshold", sampling.xtc_threshold, 0, 1));
  OGAS_TRY(take("dry_multiplier", sampling.dry_multiplier, 0, kInfinity));
  OGAS_TRY(take("dry_base", sampling.dry_base, 1, kInfinity));
  OGAS_TRY(take_whole("dry_allowed_length", sampling.dry_allowed_length, 0, kMost));
  OGAS_TRY(take_whole("dry_penalty_last_n", sampling.dry_penalty_last_n, -1, kMost));
  OGAS_TRY(take_whole("mirostat", sampling.mirostat, 0, 2));
  OGAS_TRY(take("mirostat_tau", sampling.mirostat_tau, 0, kInfinity));
  OGAS_TRY(take("mirostat_eta", sampling.mirostat_eta, 0, kInfinity));
  std::vector<std::string> breakers = OGAS_TRY(fields.texts("dry_sequence_breakers", 32));
  if (sampling.dry_multiplier > 0)
    sampling.dry_sequence_breakers = tokens_containing(*OGAS_TRY(api.tokenizer()), breakers);
  return {};
}

}  // namespace

ApiResult<Request> read_request(const Api& api, const Client& client, Fields& fields,
                                std::initializer_list<std::string_view> names_of_max_tokens) {
  Request request{.sampling = api.options.sampling, .client = client.share()};
  SamplingOptions& sampling = request.sampling;
  bool has_max_tokens = false;
  for (const std::string_view name : names_of_max_tokens)
    if (const auto n = OGAS_TRY(fields.integer(name, -1, std::numeric_limits<uint32_t>::max()))) {
      if (std::exchange(has_max_tokens, true))
        return refuse(name, "{} are two names for one thing; one is enough", fmt::join(names_of_max_tokens, " and "));
      request.max_tokens = static_cast<uint32_t>(std::max<int64_t>(*n, 0));
      request.only_prompt = *n == 0;
    }
  if (const auto x = OGAS_TRY(fields.number("temperature", 0, 2))) sampling.temperature = static_cast<float>(*x);
  if (const auto x = OGAS_TRY(fields.number("top_p", 0, 1))) sampling.top_p = static_cast<float>(*x);
  if (const auto x = OGAS_TRY(fields.number("frequency_penalty", -2, 2)))
    sampling.frequency_penalty = static_cast<float>(*x);
  if (const auto x = OGAS_TRY(fields.number("presence_penalty", -2, 2)))
    sampling.presence_penalty = static_cast<float>(*x);
  OGAS_TRY(read_rarer_sampling(api, fields, sampling));
  OGAS_TRY(read_logit_bias(api, fields, sampling));
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  const auto seed = OGAS_TRY(fields.integer("seed", kLeast, kMost));
  sampling.seed = seed && *seed != -1 ? static_cast<uint64_t>(*seed) : std::random_device{}();
  request.stop = OGAS_TRY(fields.texts("stop", 16));
  for (size_t idx = 0; idx < request.stop.size(); ++idx)
    if (request.stop[idx].empty()) return refuse("stop", "a stop text is empty");
  request.ignore_end = OGAS_TRY(fields.boolean("ignore_eos")).value_or(false);
  if (const auto priority = OGAS_TRY(fields.integer("priority", -100, 0)))
    request.priority = static_cast<int>(*priority);
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
  return static_cast<uint32_t>(OGAS_TRY(fields.integer("n", 1, api.options.most_choices)).value_or(1));
}

ApiResult<> check_text_format(Fields& fields, std::string_view name) {
  const Json* given = fields.find(name);
  if (!given) return {};
  Fields format = OGAS_TRY(Fields::of(*given, fields.path_of(name)));
  const std::string type = OGAS_TRY(format.needed_text("type"));
  if (type != "text")
    return refuse(format.path_of("type"), "{} '{}' would have to be enforced, which is not supported yet; 'text' is",
                  format.path_of("type"), type);
  return format.finish();
}

void ignore_bookkeeping(Fields& fields) {
  fields.allow_empty({"functions", "stop_token_ids", "bad_words", "logits_processors"});
  fields.ignore(
      {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"});
}

}  // namespace ogas::server
