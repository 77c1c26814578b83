#include "cli/chat/conversation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/quote.h"
#include "cli/options/did_you_mean.h"
#include "engine/answer_grammars.h"

namespace ogas::cli {
namespace {

using Json = nlohmann::ordered_json;

// Of the settings that are not of sampling: numbers that servers know, too.
bool is_kept(const RequestSetting& setting) {
  return setting.is_whole() && setting.is_in_json && !setting.flags.empty();
}

// Null where it is none, or nested more deeply than what writes it again can follow.
Json parse_json(std::string_view text) {
  constexpr int kMaxDepth = 200;
  bool is_too_deep = false;
  const auto check = [&](int depth, Json::parse_event_t, Json&) { return !(is_too_deep |= depth > kMaxDepth); };
  Json json = Json::parse(text, check, /*allow_exceptions=*/false);
  return is_too_deep || json.is_discarded() ? Json() : json;
}

// The end of "there is no such setting; ...".
std::string what_there_is(std::string_view name) {
  std::vector<std::string> names;
  for (const Setting& setting : all_settings()) names.emplace_back(setting.name);
  if (const auto near = closest(name, names)) return fmt::format("did you mean {}?", *near);
  return fmt::format("there are: {}", fmt::join(names, ", "));
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
    for (const SamplingSetting& setting : sampling_settings())
      if (!setting.is_list()) all.push_back({setting.name, setting.help});
    for (const RequestSetting& setting : request_settings())
      if (is_kept(setting)) all.push_back({setting.name, setting.help});
    return all;
  }();
  return settings;
}

Result<> change_setting(AnswerOptions& options, std::string_view name, std::string_view value) {
  const SamplingSetting* of_sampling = find_sampling_setting(name);
  const RequestSetting* setting = find_request_setting(name);
  if (of_sampling && !of_sampling->is_list())
    OGAS_TRY(of_sampling->set(options.request.sampling, value));
  else if (setting && is_kept(*setting))
    OGAS_TRY(setting->set(options.request, value));
  else
    return fail(ErrorCode::usage, "there is no setting {}; {}", in_quotes(name), what_there_is(name));
  options.given.emplace(name);
  if (name == "temperature") options.greedy = false;
  return {};
}

std::string show_setting(const AnswerOptions& options, std::string_view name) {
  if (name == "temperature" && options.greedy) return "0";
  if (const SamplingSetting* setting = find_sampling_setting(name)) return setting->show(options.request.sampling);
  const RequestSetting* setting = find_request_setting(name);
  return setting ? setting->show(options.request) : std::string();
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
  if (!schema.empty()) json["schema"] = Json::parse(schema);
  return json;
}

Result<> Conversation::set_schema(std::string text) {
  const Json json = parse_json(text);
  if (!json.is_object() && !json.is_boolean())
    return fail(ErrorCode::usage, "this is not a JSON Schema: a JSON object, true or false is expected");
  if (server.empty())
    if (const auto compiled = grammar::compile(grammar::GrammarSource::json_schema(text)); !compiled)
      return fail(ErrorCode::usage, "{}", compiled.error().message);
  schema = std::move(text);
  return {};
}

Result<Conversation> Conversation::from_json(std::string_view text, const AnswerOptions& defaults, std::string server) {
  const Json json = parse_json(text);
  if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array())
    return fail(ErrorCode::bad_file, "this is not a saved conversation: a JSON object with 'messages' is expected");
  Conversation result;
  result.server = std::move(server);
  result.settings = defaults;
  for (size_t idx = 0; idx < json["messages"].size(); ++idx) {
    const Json& message = json["messages"][idx];
    OGAS_TRY(check_message(message, idx));
    if (message["role"] == "system")
      result.system = message["content"].get<std::string>();
    else
      result.messages.push_back({{"role", message["role"]}, {"content", message["content"]}});
  }
  if (json.contains("schema"))
    if (const auto set = result.set_schema(json["schema"].dump()); !set)
      return fail(ErrorCode::bad_file, "schema: {}", set.error().message);
  if (json.contains("settings")) OGAS_TRY(read_settings(json["settings"], result.settings));
  if (!json.contains("server"))
    std::erase_if(result.settings.given, [&](const std::string& name) {
      return !defaults.given.contains(name) && show_setting(result.settings, name) == show_setting({}, name);
    });
  return result;
}

}  // namespace ogas::cli
