// The tokenizer of a Hugging Face folder: tokenizer.json, and what tokenizer_config.json adds.
//
// Byte-pair encodings only (byte-level and SentencePiece-style). A feature that is not supported is an error with its
// name and JSON path; nothing is ignored. Every byte of the files is untrusted.
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
