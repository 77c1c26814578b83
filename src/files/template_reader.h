// The chat templates a model comes with: in a GGUF's keys, or in the JSON and Jinja files of a model's folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "files/metadata.h"
#include "files/tensor_file.h"

namespace ogas {

// By name: "default", "tool_use", "rag", ... Empty where a model has none.
using NamedTemplates = std::map<std::string, std::string, std::less<>>;

// tokenizer.chat_template ("default") and tokenizer.chat_template.NAME. Errors: bad_file, if one is not a string.
Result<NamedTemplates> read_chat_templates(const Metadata& metadata);

// chat_template.jinja, chat_template.json and additional_chat_templates/NAME.jinja, else tokenizer_config.json's
// chat_template: a string, or a list of {"name", "template"}. Files come before the configuration, as in transformers.
// Errors: bad_file (no JSON, or not of these shapes, by the file's name), io. A folder without any has none.
Result<NamedTemplates> read_chat_templates(const std::filesystem::path& folder);

// Those of a model file, whichever it is.
Result<NamedTemplates> read_chat_templates(const TensorFile& file);

// The template for a conversation: "tool_use" where tools are given and there is one, else "default", else the only
// one. Null where that leaves none.
const std::string* choose_chat_template(const NamedTemplates& templates, bool has_tools);

}  // namespace ogas
