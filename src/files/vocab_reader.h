// The tokenizer and chat template that a model file carries.
#pragma once

#include <optional>
#include <string>

#include "files/metadata.h"
#include "files/tensor_file.h"
#include "text/vocab.h"

namespace ogas {

// From GGUF's tokenizer.ggml.* keys. Errors: bad_file (missing or wrong keys, lengths that differ, ids out of range),
// unsupported (a tokenizer model ogas does not know, by name).
Result<Vocab> read_vocab(const Metadata& metadata);

// The same of any model file; of a Hugging Face folder from its tokenizer.json.
Result<Vocab> read_vocab(const TensorFile& file);

}  // namespace ogas
