// Rows that are looked up by token, not multiplied with.
//
// Where they are packed as the output matrix, too, they are in memory. Others stay in their file, since a token needs
// only one of them, and are read from there by position: a disk that fails or a file that is cut short is then an error
// of the pass. Through a memory map it would be a signal that ends the process.
#pragma once

#include "base/result.h"
#include "files/tensor_file.h"
#include "ops/embedding_rows.h"
#include "ops/linear.h"

namespace ogas {

class Embeddings : private StoredReader {
 public:
  Linear rows;  // [n_tokens, n_embd]

  // Once the model is packed: rows that nothing else has are read from this file from here on, which must outlive them.
  void read_from(const TensorFile& file);
  // The file they are read from; null: they are in memory.
  const MappedFile* file() const { return file_; }
  // For Device::embed.
  EmbeddingRows lookup() const { return {rows, file_ ? this : nullptr}; }

 private:
  // Errors: those of MappedFile::read.
  Result<> read(std::span<const std::byte> stored, std::span<std::byte> buffer) const override;

  const MappedFile* file_ = nullptr;
};

}  // namespace ogas
