#include "grammar/grammar.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "grammar/engine.h"
#include "grammar/gbnf_syntax.h"
#include "grammar/pattern.h"
#include "grammar/refusal.h"
#include "grammar/schema_items.h"
#include "grammar/tree_items.h"

namespace ogas::grammar {
namespace {

class SchemaEngine final : public Engine {
 public:
  SchemaEngine(std::string_view schema, const SchemaOptions& options)
      : automaton_(kMaxNodes, kMaxRows),
        strings_(automaton_.regexes(), TextEncoding::Kind::json_string),
        numbers_(automaton_.regexes()) {
    automaton_.regexes().set_work_limit(kCompileWork);
    schema_.emplace(automaton_, strings_, numbers_, schema, options);
    const auto root = schema_->values_at("");
    if (!root) refuse("no JSON value satisfies it");
    set_parser(automaton_, schema_->items(), *root);
  }

 private:
  Automaton automaton_;
  TextEncoding strings_;
  NumberLanguage numbers_;
  std::optional<SchemaItems> schema_;
};

// The whole text is one lexeme.
class LexemeItems final : public ItemSource {
 public:
  explicit LexemeItems(NodeId lexeme) : lexeme_(lexeme) {}
  ItemExpansion expand(ItemId) override { return {.lexemes = {lexeme_}}; }
  std::vector<ItemId> follow(Tag, ItemId, std::optional<std::string_view>) override { return {}; }

 private:
  NodeId lexeme_;
};

class LexemeEngine final : public Engine {
 public:
  template <class MakeTexts>
  explicit LexemeEngine(const MakeTexts& make_texts)
      : automaton_(kMaxNodes, kMaxRows), encoding_(automaton_.regexes(), TextEncoding::Kind::utf8) {
    automaton_.regexes().set_work_limit(kCompileWork);
    const NodeId lexeme = automaton_.regexes().concat(make_texts(encoding_), automaton_.regexes().accept(0));
    if (!automaton_.is_live(lexeme)) refuse_broken("it matches no text");
    items_.emplace(lexeme);
    set_parser(automaton_, *items_, 0);
  }

 private:
  Automaton automaton_;
  TextEncoding encoding_;
  std::optional<LexemeItems> items_;
};

class TreeEngine final : public Engine {
 public:
  explicit TreeEngine(const GrammarTree& tree)
      : automaton_(kMaxNodes, kMaxRows), encoding_(automaton_.regexes(), TextEncoding::Kind::utf8) {
    constexpr size_t kMaxShares = 4;  // of the work that one schema may take
    automaton_.regexes().set_work_limit(kCompileWork * std::clamp<size_t>(tree.schemas.size(), 1, kMaxShares));
    items_.emplace(automaton_, encoding_, tree);
    set_parser(automaton_, *items_, items_->root());
  }

 private:
  Automaton automaton_;
  TextEncoding encoding_;
  std::optional<TreeItems> items_;
};

Result<std::shared_ptr<const Grammar>> compile(Grammar::MakeEngine make_engine) {
  try {
    return std::make_shared<const Grammar>(std::move(make_engine));
  } catch (const Refusal& refusal) {
    if (!refusal.pointer) return fail(refusal.code, "{}", refusal.reason);
    return fail(refusal.code, "at '#{}': {}", *refusal.pointer, refusal.reason);
  }
}

}  // namespace

Grammar::Grammar(MakeEngine make_engine) : make_engine_(std::move(make_engine)), engine_(make_engine_()) {
  engine_->pushdown().start(engine_->root());  // what is refused there is refused now
}

std::shared_ptr<Engine> Grammar::engine() const {
  constexpr size_t kLarge = 96u << 20;
  const std::lock_guard lock(mutex_);
  const bool is_large = [&] {
    const std::lock_guard engine_lock(engine_->mutex());
    return engine_->footprint() > kLarge;
  }();
  if (is_large) engine_ = make_engine_();
  return engine_;
}

Result<std::shared_ptr<const Grammar>> compile_json_schema(std::string_view schema, const SchemaOptions& options) {
  constexpr size_t kMaxSize = 2u << 20;
  if (schema.size() > kMaxSize)
    return fail(ErrorCode::unsupported, "a schema of more than {} bytes is not supported", kMaxSize);
  return compile([text = std::string(schema), options] { return std::make_shared<SchemaEngine>(text, options); });
}

Result<std::shared_ptr<const Grammar>> compile_regex(std::string_view pattern) {
  return compile([text = std::string(pattern)] {
    return std::make_shared<LexemeEngine>([&](TextEncoding& encoding) { return texts_matched(encoding, text); });
  });
}

Result<std::shared_ptr<const Grammar>> compile_gbnf(std::string_view grammar) {
  return compile(
      [text = std::string(grammar)] { return std::make_shared<TreeEngine>(GrammarTree{.rules = parse_gbnf(text)}); });
}

Result<std::shared_ptr<const Grammar>> compile_tree(const GrammarTree& tree) {
  return compile([tree] { return std::make_shared<TreeEngine>(tree); });
}

Result<std::shared_ptr<const Grammar>> compile_choice(std::span<const std::string> choices) {
  std::vector<std::u32string> texts;
  for (const std::string& choice : choices) texts.push_back(decode_utf8(choice));
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return compile([texts] {
    return std::make_shared<LexemeEngine>([&](TextEncoding& encoding) { return encoding.texts(texts); });
  });
}

}  // namespace ogas::grammar
