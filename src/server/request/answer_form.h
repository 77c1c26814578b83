// What an answer must look like, by all the names that clients have for it: OpenAI's response_format and text.format,
// Ollama's format, vLLM's structured_outputs and guided_..., llama.cpp's json_schema and grammar.
#pragma once

#include <optional>

#include "grammar/grammar_cache.h"
#include "server/request/json_fields.h"

namespace ogas::server {

// A form, and the field that asks for it.
struct AnswerForm {
  grammar::GrammarSource source;
  std::string path;
};

// Of field `name`, which is {"type": "text"}, {"type": "json_object"}, {"type": "json_schema", ...} with the schema
// in an object of that name (chat) or next to the type (responses), or {"type": "structural_tag", ...}.
ApiResult<std::optional<AnswerForm>> read_openai_form(Fields& fields, std::string_view name);
// Of response_format, and of the fields of vLLM and llama.cpp. Errors: more than one of them asks for a form.
ApiResult<std::optional<AnswerForm>> read_answer_form(Fields& fields);
// Of Ollama's format: "json", or a schema.
ApiResult<std::optional<AnswerForm>> read_ollama_form(Fields& fields);

}  // namespace ogas::server
