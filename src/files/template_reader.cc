#include "files/template_reader.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/quote.h"

namespace ogas {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";
constexpr uint64_t kMaxTemplateBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxTokenizerConfigBytes = uint64_t{64} << 20;

// {"chat_template": ...}: a string, or a list of {"name": ..., "template": ...}.
Result<NamedTemplates> templates_of(const Json& json) {
  NamedTemplates templates;
  if (!json.is_object()) return fail(ErrorCode::bad_file, "an object is expected");
  const auto found = json.find("chat_template");
  if (found == json.end() || found->is_null()) return templates;
  if (found->is_string()) {
    templates["default"] = found->get<std::string>();
    return templates;
  }
  if (!found->is_array()) return fail(ErrorCode::bad_file, "'chat_template' is neither a string nor a list");
  for (const Json& entry : *found) {
    const auto is_string = [&](const char* key) { return entry.contains(key) && entry[key].is_string(); };
    if (!entry.is_object() || !is_string("name") || !is_string("template"))
      return fail(ErrorCode::bad_file, "chat_template[{}] is not an object with the strings 'name' and 'template'",
                  templates.size());
    const auto name = entry["name"].get<std::string>();
    if (!templates.emplace(name, entry["template"].get<std::string>()).second)
      return fail(ErrorCode::bad_file, "chat_template has {} twice", in_quotes(name));
  }
  return templates;
}

Result<NamedTemplates> read_json_templates(const fs::path& path) {
  const std::string text = OGAS_TRY(read_file(path, kMaxTokenizerConfigBytes));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return fail(ErrorCode::bad_file, "{} is not JSON", path.string());
  auto templates = templates_of(json);
  if (!templates) return fail_within(templates.error(), "{}", path.string());
  return templates;
}

}  // namespace

Result<NamedTemplates> read_chat_templates(const Metadata& metadata) {
  NamedTemplates templates;
  for (const auto& [key, value] : metadata.all()) {
    if (!key.starts_with(kTemplateKey)) continue;
    const std::string_view rest = key.substr(kTemplateKey.size());
    if (!rest.empty() && (rest[0] != '.' || rest.size() == 1)) continue;
    templates[rest.empty() ? "default" : std::string(rest.substr(1))] = OGAS_TRY(metadata.get_string(key));
  }
  return templates;
}

Result<NamedTemplates> read_chat_templates(const fs::path& folder) {
  NamedTemplates templates;
  std::error_code error;
  if (is_there(folder / "chat_template.jinja"))
    templates["default"] = OGAS_TRY(read_file(folder / "chat_template.jinja", kMaxTemplateBytes));
  for (fs::directory_iterator it(folder / "additional_chat_templates", error), end; !error && it != end;
       it.increment(error))
    if (it->path().extension() == ".jinja")
      templates[it->path().stem().string()] = OGAS_TRY(read_file(it->path(), kMaxTemplateBytes));
  for (const char* name : {"chat_template.json", "tokenizer_config.json"})
    if (templates.empty() && is_there(folder / name)) templates = OGAS_TRY(read_json_templates(folder / name));
  return templates;
}

Result<NamedTemplates> read_chat_templates(const TensorFile& file) {
  return file.naming() == Naming::gguf ? read_chat_templates(file.metadata()) : read_chat_templates(file.path());
}

const std::string* choose_chat_template(const NamedTemplates& templates, bool has_tools) {
  if (const auto found = templates.find("tool_use"); has_tools && found != templates.end()) return &found->second;
  if (const auto found = templates.find("default"); found != templates.end()) return &found->second;
  return templates.size() == 1 ? &templates.begin()->second : nullptr;
}

}  // namespace ogas
