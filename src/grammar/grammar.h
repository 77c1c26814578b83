// What a text must look like: a JSON Schema, a regular expression, a GBNF grammar or a list of choices.
//
// A grammar fails closed: what cannot be enforced is an error with its reason, and for a schema with its JSON pointer.
// docs/STRUCTURED.md says what is enforced. A GrammarMatcher (matcher.h) follows a text by it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "grammar/schema_options.h"

namespace ogas::grammar {

class Engine;
struct GrammarTree;

// Safe to share between threads.
class Grammar {
 public:
  using MakeEngine = std::function<std::shared_ptr<Engine>()>;
  explicit Grammar(MakeEngine make_engine);

  // What matchers work with. It keeps what it computed; one that has grown large is replaced for new matchers.
  std::shared_ptr<Engine> engine() const;

 private:
  MakeEngine make_engine_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<Engine> engine_;
};

// Errors: bad_file (it is broken), unsupported (it cannot be enforced, or only at too high a cost).
Result<std::shared_ptr<const Grammar>> compile_json_schema(std::string_view schema, const SchemaOptions& options = {});
// The whole text matches a pattern of ECMA 262.
Result<std::shared_ptr<const Grammar>> compile_regex(std::string_view pattern);
Result<std::shared_ptr<const Grammar>> compile_gbnf(std::string_view grammar);
// The text is one of these.
Result<std::shared_ptr<const Grammar>> compile_choice(std::span<const std::string> choices);

// Errors: as those of its schemas.
Result<std::shared_ptr<const Grammar>> compile_tree(const GrammarTree& tree);

}  // namespace ogas::grammar
