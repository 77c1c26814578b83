// Model files whose weights are not there: headers alone, with a hole behind them that takes no room on disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "files/tensor_file.h"

namespace ogas {

// A GGUF file of n_bytes that begins with these bytes, under this name in messages. Errors: as TensorFile::open, io.
Result<TensorFile> open_header(std::string_view header, uint64_t n_bytes, std::string_view name);

bool is_url(std::string_view name);
// The file behind a URL, by its first bytes, as many as its header takes (64 MB at most). A split file's parts are not
// followed. Errors: io, and as TensorFile::open.
Result<TensorFile> open_remote(const std::string& url);

}  // namespace ogas
