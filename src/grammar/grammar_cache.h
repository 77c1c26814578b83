// Grammars by what they are compiled from, so that a schema which comes with every request is compiled once.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/grammar_tree.h"

namespace ogas::grammar {

// What a text must look like, as it was asked for.
struct GrammarSource {
  enum class Kind : uint8_t { json_schema, regex, gbnf, choice, tree };
  Kind kind = Kind::json_schema;
  std::string text = {};                  // of all but choices and trees
  std::vector<std::string> choices = {};  // of Kind::choice
  SchemaOptions json = {};                // of Kind::json_schema
  GrammarTree tree = {};                  // of Kind::tree

  // Of answers (answer_options()).
  static GrammarSource json_schema(std::string schema);
  static GrammarSource any_object() { return json_schema(R"({"type": "object"})"); }
  static GrammarSource regex(std::string pattern) { return {.kind = Kind::regex, .text = std::move(pattern)}; }
  static GrammarSource gbnf(std::string grammar) { return {.kind = Kind::gbnf, .text = std::move(grammar)}; }
  static GrammarSource choice(std::vector<std::string> texts) {
    return {.kind = Kind::choice, .choices = std::move(texts)};
  }

  bool operator==(const GrammarSource&) const = default;
};
// Errors: as compile_json_schema() and the others (grammar.h).
Result<std::shared_ptr<const Grammar>> compile(const GrammarSource& source);

// Safe to share between threads. It keeps the latest grammars, by whole texts: no two share one by chance or on
// purpose.
class GrammarCache {
 public:
  static constexpr size_t kMaxGrammars = 64;
  static constexpr size_t kMaxBytes = size_t{16} << 20;  // of their sources

  // Compiled here, unless it is one of those kept. Errors: as compile(); they are not kept.
  Result<std::shared_ptr<const Grammar>> get(const GrammarSource& source);

 private:
  struct Entry {
    GrammarSource source;
    std::shared_ptr<const Grammar> grammar;
  };

  std::mutex mutex_;
  std::list<Entry> entries_;  // the latest first
  size_t n_bytes_ = 0;
};

}  // namespace ogas::grammar
