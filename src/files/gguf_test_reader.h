// Does with a GGUF file's bytes what ogas does with a model's: for tests with damaged files, and for fuzz_gguf.
#pragma once

#include <vector>

#include "files/gguf.h"
#include "files/template_reader.h"
#include "files/vocab_reader.h"

namespace ogas::test {

// Parses, reads the vocabulary and template, asks for every key in every type, and decodes the first and last block of
// every tensor. The error is the parser's; those of the rest are only provoked.
inline Result<> use_gguf(Bytes file) {
  const auto contents = OGAS_TRY(parse_gguf(file));
  const Metadata& metadata = contents.metadata;
  (void)read_vocab(metadata);
  (void)read_chat_templates(metadata);
  constexpr uint64_t kMaxCount = 1U << 20;
  for (const auto& [key, value] : metadata.all()) {
    (void)value.type_name();
    (void)metadata.get_uint(key);
    (void)metadata.get_float(key);
    (void)metadata.get_bool(key);
    (void)metadata.get_string(key);
    (void)metadata.get_strings(key, kMaxCount);
    (void)metadata.get_ints(key, kMaxCount);
    (void)metadata.get_floats(key, kMaxCount);
  }
  std::vector<float> values;
  for (const TensorInfo& tensor : contents.tensors) {
    const FormatFacts& facts = facts_of(tensor.format);
    values.resize(facts.block_values);
    facts.decode(tensor.data.data(), values.data(), 1);
    facts.decode(tensor.data.last(facts.block_bytes).data(), values.data(), 1);
  }
  return {};
}

}  // namespace ogas::test
