// Cuts text into the pieces within which a tokenizer merges, by the regular expressions its name stands for.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ogas {

class PreTokenizer {
 public:
  // name: as in GGUF's tokenizer.ggml.pre. Errors: unsupported; the message lists the known ones.
  static Result<PreTokenizer> create(std::string_view name);

  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;
  ~PreTokenizer();

  // Calls emit(piece) for the pieces in order; together they are the text. Bytes that are not UTF-8 come in pieces of
  // their own.
  void split(std::string_view text, const std::function<void(std::string_view)>& emit) const;
  // Whether a piece that is a token as a whole is taken as it is, without looking at the merges.
  bool ignores_merges() const { return ignores_merges_; }

 private:
  class Pattern;
  PreTokenizer();
  void split_from(size_t step, std::string_view text, const std::function<void(std::string_view)>& emit) const;

  std::vector<Pattern> steps_;  // each cuts what the one before left whole
  bool ignores_merges_ = false;
};

}  // namespace ogas
