// The tokenizer of a model published on the Hugging Face hub: tokenizer.json, and what tokenizer_config.json adds.
//
// Byte-pair encodings only (byte-level and SentencePiece-style); what a file asks for beyond what is known here is
// refused by its name and JSON path rather than ignored. Every byte of it is untrusted.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "text/vocab.h"

namespace ogas {

// config: the text of tokenizer_config.json, or empty. It says which tokens are BOS, EOS and padding, and whether BOS
// and EOS are put around a text; without it the template of tokenizer.json does. Errors: bad_file, unsupported; each
// with the JSON path.
Result<Vocab> read_tokenizer_json(std::string_view json, std::string_view config = {});

// path: a tokenizer.json, or a folder that holds one; its neighbour tokenizer_config.json is read too where there is
// one. Errors: those, not_found and io.
Result<Vocab> open_tokenizer_json(const std::filesystem::path& path);

}  // namespace ogas
