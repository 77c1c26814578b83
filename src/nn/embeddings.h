// Rows that are looked up by token, not multiplied with.
//
// Where they are packed as the output matrix, too, they are in memory. Others stay in their file, since a token needs
// only one of them, and are read from there by position: a disk that fails or a file that is cut short is then an error
// of the pass. Through a memory map it would be a signal that ends the process.
#pragma once

#include "base/result.h"
#include "files/tensor_file.h"
#include "ops/linear.h"
#include "ops/scratch.h"

namespace ogas {

class Embeddings {
 public:
  Linear rows;  // [n_tokens, n_embd]

  // Once the model is packed: rows that nothing else has are read from this file from here on, which must outlive them.
  void read_from(const TensorFile& file);
  // The file they are read from; null: they are in memory.
  const MappedFile* file() const { return file_; }
  // Row o as floats [n_embd], from any thread, whose arena it is. Errors: those of MappedFile::read.
  Result<> decode_row(const CpuKernels& kernels, ScratchArena& own, size_t o, float* values) const;

 private:
  const MappedFile* file_ = nullptr;
};

}  // namespace ogas
