// Any bytes as a regular expression, and after a zero byte as a text (fuzz_grammar_schema.cc says what must hold).
#include <cstdint>

#include "grammar_fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto [grammar, text] = ogas::split_input(data, size);
  ogas::follow_text(ogas::grammar::compile_regex(grammar), text);
  return 0;
}
