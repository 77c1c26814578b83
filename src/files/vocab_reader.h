// The tokenizer and chat template that a model file carries.
#pragma once

#include <optional>
#include <string>

#include "files/metadata.h"
#include "text/vocab.h"

namespace ogas {

// From GGUF's tokenizer.ggml.* keys. Errors: bad_file (missing or wrong keys, lengths that differ, ids out of range),
// unsupported (a tokenizer model ogas does not know, by name).
Result<Vocab> read_vocab(const Metadata& metadata);

// tokenizer.chat_template; empty where there is none. Errors: bad_file, if it is not a string.
Result<std::optional<std::string>> read_chat_template(const Metadata& metadata);

}  // namespace ogas
