// A model's tokenizer without the model.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "text/tokenizer.h"

namespace ogas {

// path: a model file, a model's folder, or a tokenizer.json. Of a folder only the tokenizer's files are read. Errors:
// as TensorFile::open and Tokenizer::create; bad_file and unsupported, where the tokenizer cannot be used.
Result<std::unique_ptr<Tokenizer>> open_tokenizer(const std::filesystem::path& path);

}  // namespace ogas
