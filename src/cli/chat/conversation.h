// A conversation as it is kept: messages and settings, to a JSON file and back.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/options/options.h"

namespace ogas::cli {

// A value of AnswerOptions by name, for /set and for saved conversations.
struct Setting {
  std::string_view name;  // "top_p"
  std::string_view help;
};
std::span<const Setting> all_settings();
// The setting is given from then on. Errors: usage, naming what is wrong with the name or the value.
Result<> change_setting(AnswerOptions& options, std::string_view name, std::string_view value);
std::string show_setting(const AnswerOptions& options, std::string_view name);

struct Conversation {
  std::string server;                                                 // URL of who answers; empty: this process
  std::string system;                                                 // message before all others; may be empty
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();  // [{"role": ..., "content": ...}, ...]
  AnswerOptions settings;
  std::string schema;  // the text of the JSON Schema that answers keep to; empty: none

  // Errors: usage (not JSON; a model in this process cannot keep to it).
  Result<> set_schema(std::string text);
  // system and messages, as a chat template wants them.
  nlohmann::ordered_json all_messages() const;

  // {"ogas": 1, "model": ..., "messages": [...], "settings": {...}}; the system message is the first of the messages.
  // With a server there is also "server", and only the settings that were set; with a schema "schema".
  nlohmann::ordered_json to_json(std::string_view model) const;
  // Errors: bad_file, naming the field. Settings that are missing keep the values in `defaults`. Those of a
  // conversation with a server were given; of one without, those that are not ogas's own defaults.
  static Result<Conversation> from_json(std::string_view text, const AnswerOptions& defaults, std::string server = {});
};

}  // namespace ogas::cli
