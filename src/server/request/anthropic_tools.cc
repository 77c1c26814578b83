#include "server/request/anthropic_tools.h"

#include <algorithm>
#include <utility>

namespace ogas::server {
namespace {

// Errors: only Anthropic's own code may call it, which is not run here.
ApiResult<> check_callers(Fields& tool) {
  const Json* callers = tool.find("allowed_callers");
  if (!callers || (callers->is_array() && std::ranges::find(*callers, "direct") != callers->end())) return {};
  return refuse(tool.path_of("allowed_callers"),
                "{} is {}, and tools can be called by the model only, which it has to name ('direct')",
                tool.path_of("allowed_callers"), to_text(*callers));
}

// Errors: not a tool of the client's own.
ApiResult<> check_kind(Fields& tool) {
  const auto type = OGAS_TRY(tool.text("type"));
  if (!type || *type == "custom") return {};
  return refuse(tool.path_of("type"),
                "{} is '{}', a tool of Anthropic's own, which is not available here; tools with a name and an "
                "input_schema are",
                tool.path_of("type"), *type);
}

ApiResult<Json> read_definition(Fields& tool) {
  OGAS_TRY(check_kind(tool));
  Json function = {{"name", OGAS_TRY(tool.needed_text("name"))}};
  if (const auto description = OGAS_TRY(tool.text("description"))) function["description"] = *description;
  const std::string path = tool.path_of("input_schema");
  const Json* schema = tool.find("input_schema");
  if (!schema) return refuse(path, "{} is missing", path);
  if (!schema->is_object()) return refuse(path, "{} is {}, where an object is expected", path, kind_of(*schema));
  function["parameters"] = *schema;
  if (const auto strict = OGAS_TRY(tool.boolean("strict"))) function["strict"] = *strict;
  OGAS_TRY(check_callers(tool));
  tool.allow_empty({"input_examples"});
  tool.ignore({"cache_control", "eager_input_streaming"});
  return Json{{"type", "function"}, {"function", std::move(function)}};
}

// "tool_choice" as the chat API has it, into an object of its fields.
ApiResult<> map_tool_choice(Fields& fields, Json& chat) {
  const Json* given = fields.find("tool_choice");
  if (!given) return {};
  Fields choice = OGAS_TRY(Fields::of(*given, fields.path_of("tool_choice")));
  const std::string type = OGAS_TRY(choice.needed_text("type"));
  if (type == "auto" || type == "none")
    chat["tool_choice"] = type;
  else if (type == "any")
    chat["tool_choice"] = "required";
  else if (type == "tool")
    chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", OGAS_TRY(choice.needed_text("name"))}}}};
  else
    return refuse(choice.path_of("type"), "{} is '{}', which is none of auto, any, tool, none", choice.path_of("type"),
                  type);
  if (const auto is_single = OGAS_TRY(choice.boolean("disable_parallel_tool_use")))
    chat["parallel_tool_calls"] = !*is_single;
  return choice.finish();
}

}  // namespace

ApiResult<ToolShelf> ToolShelf::read(Fields& fields) {
  ToolShelf shelf;
  const Json* given = fields.find("tools");
  if (!given) return shelf;
  const std::string path = fields.path_of("tools");
  if (!given->is_array()) return refuse(path, "{} is {}, where an array is expected", path, kind_of(*given));
  for (size_t idx = 0; idx < given->size(); ++idx) {
    Fields fields_of_tool = OGAS_TRY(Fields::of((*given)[idx], fmt::format("{}[{}]", path, idx)));
    Tool tool{.definition = OGAS_TRY(read_definition(fields_of_tool))};
    tool.is_deferred = OGAS_TRY(fields_of_tool.boolean("defer_loading")).value_or(false);
    OGAS_TRY(fields_of_tool.finish());
    shelf.tools_.push_back(std::move(tool));
  }
  return shelf;
}

ApiResult<std::string> ToolShelf::load(const std::string& name, const std::string& path) {
  const auto found = std::ranges::find(tools_, name, &Tool::name);
  if (found == tools_.end()) return refuse(path, "{} is '{}', which none of the tools is called", path, name);
  found->is_loaded = true;
  return to_text(found->definition["function"]);
}

ApiResult<ToolFields> ToolShelf::chat_tools(Fields& fields) const {
  Json chat = Json::object();
  OGAS_TRY(map_tool_choice(fields, chat));
  for (const Tool& tool : tools_)
    if (!tool.is_deferred || tool.is_loaded) chat["tools"].push_back(tool.definition);
  Fields chat_fields = OGAS_TRY(Fields::of(chat));
  return read_tools(chat_fields);
}

Json ToolShelf::told(const ToolFields& tools) const {
  if (tools.tools.is_null()) return {};
  Json told;
  for (const Tool& tool : tools_)
    if (!tool.is_deferred) told.push_back(tool.definition);
  return told.is_null() ? tools.tools : told;
}

}  // namespace ogas::server
