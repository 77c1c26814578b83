// Cuts text into the pieces within which a tokenizer merges, by regular expressions.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "text/pattern.h"
#include "text/vocab.h"

namespace ogas {

// The rules a GGUF file means by its tokenizer.ggml.pre. Errors: unsupported; the message lists the known names.
Result<TextRules> rules_named(std::string_view name);

// GPT-2's own pattern, which tokenizer.json calls ByteLevel with use_regex.
extern const std::string_view kGpt2Pattern;

class PreTokenizer {
 public:
  // Errors: as Pattern::compile.
  static Result<PreTokenizer> create(std::span<const SplitStep> steps);

  // Calls emit(piece) for the pieces in order; together they are the text, but for what a step removes.
  // text must be valid UTF-8.
  using Emit = FunctionRef<void(std::string_view)>;
  void split(std::string_view text, Emit emit) const;

 private:
  struct Step {
    Pattern pattern;
    SplitStep::Behavior behavior;
    bool invert;
  };
  class Run;

  std::vector<Step> steps_;  // each cuts what the one before left whole
};

}  // namespace ogas
