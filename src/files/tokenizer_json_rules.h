// What tokenizer.json does to text before merging and after: normalizer, pre_tokenizer and decoder.
#pragma once

#include "files/json_node.h"
#include "text/vocab.h"

namespace ogas {

// Fills vocab.model and vocab.rules (which must be there), add_space_prefix and marks_spaces. Errors: bad_file;
// unsupported, for kinds and settings that are not known.
Result<> read_text_rules(const JsonNode& root, Vocab& vocab);

}  // namespace ogas
