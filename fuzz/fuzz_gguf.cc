// Any bytes as a GGUF file: parsed, every key read as every type, blocks of every tensor decoded.
#include "files/gguf_test_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)ogas::test::use_gguf(std::as_bytes(std::span(data, size)));
  return 0;
}
