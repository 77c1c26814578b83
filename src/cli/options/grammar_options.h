// What an answer must look like: --schema, --json-object, --regex, --grammar, --choice.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/answer_grammars.h"

namespace ogas::cli {

inline constexpr size_t kMaxGrammarFile = size_t{16} << 20;  // bytes

struct GrammarOptions {
  std::string schema_file, regex, grammar_file;
  std::vector<std::string> choices;
  bool json_object = false, is_compact = false, is_lenient = false;

  void add_to(CLI::App& app);
  // What they ask for, with the files read, and compiled once to see whether it can be; nothing where none is given.
  // Errors: as read_file; usage (it is broken, or cannot be enforced).
  Result<std::optional<grammar::GrammarSource>> source() const;
};

}  // namespace ogas::cli
