// Any bytes as a JSON Schema, and after a zero byte as a text: it must compile or be refused, and the text must be
// followed or refused, within bounds. What a mask allows is accepted, and a text that is not complete can be continued.
#include <cstdint>

#include "grammar_fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto [grammar, text] = ogas::split_input(data, size);
  ogas::follow_text(ogas::grammar::compile_json_schema(grammar), text);
  return 0;
}
