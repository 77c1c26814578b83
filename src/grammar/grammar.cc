#include "grammar/grammar.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "grammar/engine.h"
#include "grammar/gbnf_items.h"
#include "grammar/json_items.h"
#include "grammar/pattern.h"
#include "grammar/refusal.h"
#include "grammar/schema_reader.h"
#include "grammar/schema_solver.h"

namespace ogas::grammar {
namespace {

class SchemaEngine final : public Engine {
 public:
  SchemaEngine(std::string_view schema, const SchemaOptions& options)
      : automaton_(kMaxNodes, kMaxRows),
        strings_(automaton_.regexes(), TextEncoding::Kind::json_string),
        numbers_(automaton_.regexes()),
        solver_(automaton_, formulas_, strings_, numbers_),
        items_(solver_, {.has_spaces = options.has_spaces, .keeps_order = options.keeps_order}) {
    automaton_.regexes().set_work_limit(kCompileWork);
    automaton_.regexes().set_text_universe(strings_.universe());
    const JsonValue document = parse_json(schema);
    const JsonValue* lenient = document.find("x-ogas-lenient");
    const bool is_lenient = options.is_lenient || (lenient && lenient->boolean);
    SchemaReader reader(formulas_, strings_, numbers_, document, is_lenient, options.keeps_order);
    const FormulaId root = reader.read();
    solver_.set_references(reader.targets(), reader.unique_pointers());
    const ValueId value = solver_.value({literal(root)});
    if (!solver_.is_satisfiable(value)) refuse("no JSON value satisfies it");
    items_.explore(value);
    set_parser(automaton_, items_, items_.root(value));
  }

 private:
  Automaton automaton_;
  TextEncoding strings_;
  NumberLanguage numbers_;
  Formulas formulas_;
  SchemaSolver solver_;
  JsonItems items_;
};

// The whole text is one lexeme.
class LexemeItems final : public ItemSource {
 public:
  explicit LexemeItems(NodeId lexeme) : lexeme_(lexeme) {}
  ItemExpansion expand(ItemId) override { return {.lexemes = {lexeme_}}; }
  std::vector<ItemId> follow(Tag, ItemId, std::optional<std::string_view>) override { return {}; }
  bool looks_back(Tag) const override { return false; }

 private:
  NodeId lexeme_;
};

class LexemeEngine final : public Engine {
 public:
  template <class MakeTexts>
  explicit LexemeEngine(const MakeTexts& make_texts)
      : automaton_(kMaxNodes, kMaxRows), encoding_(automaton_.regexes(), TextEncoding::Kind::utf8) {
    automaton_.regexes().set_work_limit(kCompileWork);
    automaton_.regexes().set_text_universe(encoding_.universe());
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

class GbnfEngine final : public Engine {
 public:
  explicit GbnfEngine(std::string_view grammar)
      : automaton_(kMaxNodes, kMaxRows),
        encoding_(automaton_.regexes(), TextEncoding::Kind::utf8),
        items_(automaton_, encoding_, parse_gbnf(grammar)) {
    automaton_.regexes().set_work_limit(kCompileWork);
    set_parser(automaton_, items_, items_.root());
  }

 private:
  Automaton automaton_;
  TextEncoding encoding_;
  GbnfItems items_;
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
  return compile([text = std::string(grammar)] { return std::make_shared<GbnfEngine>(text); });
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
