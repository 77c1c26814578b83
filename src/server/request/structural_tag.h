// Free text in which some parts have a form, as vLLM and SGLang take it:
// {"type": "structural_tag", "structures": [{"begin", "schema", "end"}, ...], "triggers": [...]}.
#pragma once

#include <string>

#include "grammar/grammar_cache.h"
#include "server/request/json_fields.h"

namespace ogas::server {

// The object at `path`. Errors: a structure begins with none of the triggers, too.
ApiResult<grammar::GrammarSource> read_structural_tag(const Json& tag, const std::string& path);

}  // namespace ogas::server
