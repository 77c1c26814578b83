// Model files without their weights: the header, followed by a hole that takes no space on disk.
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
// The header of the file at a URL, read from its first bytes (at most 64 MB). Further parts of a split file are not
// read. Errors: io, and as TensorFile::open.
Result<TensorFile> open_remote(const std::string& url);

}  // namespace ogas
