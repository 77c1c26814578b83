#include "grammar/grammar_cache.h"

#include <algorithm>
#include <utility>

namespace ogas::grammar {
namespace {

size_t bytes_of(const GrammarNode& node) {
  size_t n_bytes = sizeof(node) + node.text.size() * sizeof(char32_t);
  for (const GrammarNode& child : node.children) n_bytes += bytes_of(child);
  return n_bytes;
}

size_t bytes_of(const GrammarSource& source) {
  size_t n_bytes = source.text.size();
  for (const std::string& choice : source.choices) n_bytes += choice.size();
  for (const GrammarTree::Schema& schema : source.tree.schemas) n_bytes += schema.text.size();
  for (const GrammarRule& rule : source.tree.rules) n_bytes += bytes_of(rule.body);
  return n_bytes;
}

}  // namespace

GrammarSource GrammarSource::json_schema(std::string schema) {
  return {.text = std::move(schema), .json = answer_options()};
}

Result<std::shared_ptr<const Grammar>> compile(const GrammarSource& source) {
  switch (source.kind) {
    case GrammarSource::Kind::json_schema: return compile_json_schema(source.text, source.json);
    case GrammarSource::Kind::regex: return compile_regex(source.text);
    case GrammarSource::Kind::gbnf: return compile_gbnf(source.text);
    case GrammarSource::Kind::choice: return compile_choice(source.choices);
    case GrammarSource::Kind::tree: return compile_tree(source.tree);
  }
  std::unreachable();
}

Result<std::shared_ptr<const Grammar>> GrammarCache::get(const GrammarSource& source) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(entries_, source, &Entry::source);
    if (found != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, found);
      return found->grammar;
    }
  }
  auto grammar = OGAS_TRY(compile(source));
  const std::lock_guard lock(mutex_);
  n_bytes_ += bytes_of(source);
  entries_.push_front({source, grammar});
  while (entries_.size() > 1 && (entries_.size() > kMaxGrammars || n_bytes_ > kMaxBytes)) {
    n_bytes_ -= bytes_of(entries_.back().source);
    entries_.pop_back();
  }
  return grammar;
}

}  // namespace ogas::grammar
