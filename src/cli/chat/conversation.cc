#include "cli/chat/conversation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <limits>

#include "base/quote.h"
#include "cli/options/suggest.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Result<T> parse_number(std::string_view name, std::string_view value) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size())
    return fail(ErrorCode::usage, "{}: {} is no {}", name, in_quotes(value),
                std::is_floating_point_v<T> ? "number" : "whole number in range");
  return number;
}

struct Row {
  Setting setting;
  Result<> (*set)(AnswerOptions&, std::string_view name, std::string_view value);
  std::string (*show)(const AnswerOptions&);
};

// The same; -1 (or -2), which other programs have for no bound at all, is `unbounded`.
Result<uint32_t> parse_bound(std::string_view name, std::string_view value, uint32_t unbounded) {
  if (value == "-1" || value == "-2") return unbounded;
  return parse_number<uint32_t>(name, value);
}

// A row for a member of SamplingOptions that bounds something.
template <auto kMember, uint32_t kUnbounded>
constexpr Row bound_row(std::string_view name, std::string_view help) {
  return {{name, help},
          [](AnswerOptions& options, std::string_view key, std::string_view value) -> Result<> {
            options.sampling.*kMember = OGAS_TRY(parse_bound(key, value, kUnbounded));
            return {};
          },
          [](const AnswerOptions& options) { return fmt::format("{}", options.sampling.*kMember); }};
}

// A row for a member of SamplingOptions.
template <auto kMember>
constexpr Row sampling_row(std::string_view name, std::string_view help) {
  return {{name, help},
          [](AnswerOptions& options, std::string_view key, std::string_view value) -> Result<> {
            using Number = std::remove_reference_t<decltype(options.sampling.*kMember)>;
            SamplingOptions changed = options.sampling;
            changed.*kMember = OGAS_TRY(parse_number<Number>(key, value));
            OGAS_TRY(changed.validate());
            options.sampling = changed;
            return {};
          },
          [](const AnswerOptions& options) { return fmt::format("{}", options.sampling.*kMember); }};
}

constexpr Row kRows[] = {
    sampling_row<&SamplingOptions::temperature>("temperature", "0 always takes the likeliest token"),
    bound_row<&SamplingOptions::top_k, 0>("top_k", "keep the k likeliest tokens; 0 keeps all"),
    sampling_row<&SamplingOptions::top_p>("top_p", "keep the likeliest that add up to this share"),
    sampling_row<&SamplingOptions::min_p>("min_p", "drop what is below this share of the likeliest"),
    sampling_row<&SamplingOptions::repetition_penalty>("repetition_penalty",
                                                       "divide the logits of tokens seen lately by this"),
    sampling_row<&SamplingOptions::frequency_penalty>("frequency_penalty", "subtract for every time a token was seen"),
    sampling_row<&SamplingOptions::presence_penalty>("presence_penalty", "subtract if a token was seen"),
    bound_row<&SamplingOptions::penalty_window, SamplingOptions::kWholeSequence>(
        "repeat_last_n", "how many tokens the penalties look back; -1: all"),
    sampling_row<&SamplingOptions::typical_p>("typical_p", "keep what surprises as expected, with this share"),
    sampling_row<&SamplingOptions::xtc_probability>("xtc_probability",
                                                    "chance to leave out all but the last likely token"),
    sampling_row<&SamplingOptions::xtc_threshold>("xtc_threshold", "what counts as likely for it"),
    sampling_row<&SamplingOptions::dry_multiplier>("dry_multiplier",
                                                   "penalise what continues a repetition; 0 does not"),
    sampling_row<&SamplingOptions::dry_base>("dry_base", "growth of that with each token repeated"),
    sampling_row<&SamplingOptions::dry_allowed_length>("dry_allowed_length", "tokens repeated before it sets in"),
    sampling_row<&SamplingOptions::dry_penalty_last_n>("dry_penalty_last_n", "how many tokens it looks back; -1: all"),
    sampling_row<&SamplingOptions::mirostat>("mirostat", "2: instead of all cuts, steer to a surprise"),
    sampling_row<&SamplingOptions::mirostat_tau>("mirostat_tau", "that surprise, in bits"),
    sampling_row<&SamplingOptions::mirostat_eta>("mirostat_eta", "how fast it steers"),
    {{"seed", "the same seed, the same answer; -1 draws one"},
     [](AnswerOptions& options, std::string_view name, std::string_view value) -> Result<> {
       options.seed = OGAS_TRY(parse_number<int64_t>(name, value));
       return {};
     },
     [](const AnswerOptions& options) { return fmt::format("{}", options.seed); }},
    {{"max_tokens", "longest answer; 0 is until the context is full"},
     [](AnswerOptions& options, std::string_view name, std::string_view value) -> Result<> {
       options.max_tokens = OGAS_TRY(parse_bound(name, value, 0));
       return {};
     },
     [](const AnswerOptions& options) { return fmt::format("{}", options.max_tokens); }},
};

// The end of "there is no such setting; ...".
std::string what_there_is(std::string_view name) {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.setting.name);
  if (const auto near = closest(name, names)) return fmt::format("did you mean {}?", *near);
  return fmt::format("there are: {}", fmt::join(names, ", "));
}

Result<const Row*> find_row(std::string_view name) {
  const auto* row = std::ranges::find(kRows, name, [](const Row& r) { return r.setting.name; });
  if (row == std::end(kRows))
    return fail(ErrorCode::usage, "there is no setting {}; {}", in_quotes(name), what_there_is(name));
  return row;
}

Result<> check_message(const Json& message, size_t idx) {
  const auto is_string = [&](const char* key) { return message.contains(key) && message[key].is_string(); };
  if (!message.is_object() || !is_string("role") || !is_string("content"))
    return fail(ErrorCode::bad_file, "messages[{}] is not an object with the strings 'role' and 'content'", idx);
  const auto& role = message["role"].get_ref<const std::string&>();
  const std::string_view known[] = {"system", "user", "assistant"};
  if (std::ranges::find(known, role) == std::end(known))
    return fail(ErrorCode::bad_file, "messages[{}].role is '{}'; system, user or assistant is expected", idx, role);
  if (role == "system" && idx != 0)
    return fail(ErrorCode::bad_file, "messages[{}] is a system message; only the first may be one", idx);
  return {};
}

Result<> read_settings(const Json& settings, AnswerOptions& options) {
  if (!settings.is_object()) return fail(ErrorCode::bad_file, "'settings' is not an object");
  for (const auto& [name, value] : settings.items()) {
    auto changed = change_setting(options, name, value.is_string() ? value.get<std::string>() : value.dump());
    if (!changed) return fail(ErrorCode::bad_file, "settings: {}", changed.error().message);
  }
  return {};
}

}  // namespace

std::span<const Setting> all_settings() {
  static const auto settings = [] {
    std::vector<Setting> all;
    for (const Row& row : kRows) all.push_back(row.setting);
    return all;
  }();
  return settings;
}

Result<> change_setting(AnswerOptions& options, std::string_view name, std::string_view value) {
  const Row* row = OGAS_TRY(find_row(name));
  OGAS_TRY(row->set(options, name, value));
  options.given.emplace(name);
  if (name == "temperature") options.greedy = false;
  return {};
}

std::string show_setting(const AnswerOptions& options, std::string_view name) {
  const auto row = find_row(name);
  if (name == "temperature" && options.greedy) return "0";
  return row ? (*row)->show(options) : std::string();
}

Json Conversation::all_messages() const {
  Json all = Json::array();
  if (!system.empty()) all.push_back({{"role", "system"}, {"content", system}});
  for (const auto& message : messages) all.push_back(message);
  return all;
}

Json Conversation::to_json(std::string_view model) const {
  Json numbers = Json::object();
  for (const Setting& setting : all_settings())
    if (server.empty() || settings.given.contains(setting.name))
      numbers[std::string(setting.name)] = Json::parse(show_setting(settings, setting.name));
  Json json = {{"ogas", 1}, {"model", model}, {"messages", all_messages()}, {"settings", numbers}};
  if (!server.empty()) json["server"] = server;
  return json;
}

Result<Conversation> Conversation::from_json(std::string_view text, const AnswerOptions& defaults) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array())
    return fail(ErrorCode::bad_file, "this is not a saved conversation: a JSON object with 'messages' is expected");
  Conversation result;
  result.settings = defaults;
  for (size_t idx = 0; idx < json["messages"].size(); ++idx) {
    const Json& message = json["messages"][idx];
    OGAS_TRY(check_message(message, idx));
    if (message["role"] == "system")
      result.system = message["content"].get<std::string>();
    else
      result.messages.push_back({{"role", message["role"]}, {"content", message["content"]}});
  }
  if (json.contains("settings")) OGAS_TRY(read_settings(json["settings"], result.settings));
  if (!json.contains("server"))
    std::erase_if(result.settings.given, [&](const std::string& name) {
      return !defaults.given.contains(name) && show_setting(result.settings, name) == show_setting({}, name);
    });
  return result;
}

}  // namespace ogas::cli
