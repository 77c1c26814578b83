#include "jinja/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "jinja/builtins.h"

namespace ogas::jinja {

class Interpreter::DepthGuard {
 public:
  explicit DepthGuard(Interpreter& interpreter) : interpreter_(interpreter) {
    if (++interpreter_.depth_ > interpreter_.limits_.depth) {
      --interpreter_.depth_;
      throw Failure{"calls are nested too deeply"};
    }
  }
  ~DepthGuard() { --interpreter_.depth_; }

 private:
  Interpreter& interpreter_;
};

// A scope that lives as long as its block, or as the rendering if a macro was made in it.
class Interpreter::OwnScope {
 public:
  // hidden: names that are undefined here until they are assigned to, whatever they are outside.
  OwnScope(Interpreter& interpreter, Scope& parent, const std::vector<std::string>& hidden)
      : interpreter_(interpreter),
        hidden_(hidden),
        scope_(std::make_unique<Scope>(Scope{.variables = {}, .parent = &parent})) {
    hide();
  }
  OwnScope(const OwnScope&) = delete;
  OwnScope& operator=(const OwnScope&) = delete;
  ~OwnScope() {
    if (scope_->is_captured) capture();
  }
  Scope& operator*() { return *scope_; }
  Scope* operator->() { return scope_.get(); }
  // An empty scope in its place.
  void renew() {
    if (scope_->is_captured) {
      Scope* parent = scope_->parent;
      capture();
      scope_ = std::make_unique<Scope>(Scope{.variables = {}, .parent = parent});
    } else {
      scope_->variables.clear();
    }
    hide();
  }

 private:
  void capture() {
    constexpr size_t kVariableBytes = 160;  // a node of the map with its name
    interpreter_.memory().keep(sizeof(Scope) + scope_->variables.size() * kVariableBytes);
    interpreter_.captured_.push_back(std::move(scope_));
  }
  void hide() {
    for (const std::string& name : hidden_) scope_->variables.emplace(name, Value(Undefined{name}));
  }

  Interpreter& interpreter_;
  const std::vector<std::string>& hidden_;
  std::unique_ptr<Scope> scope_;
};

Interpreter::Interpreter(const Limits& limits) : Budget(limits) { add_global_functions(globals_); }

Text Interpreter::render(const Program& program) {
  const Memory::Use use(memory());
  OwnScope scope(*this, globals_, program.hidden);
  Output out;
  run(program.body, *scope, out);
  return out.take();
}

Namespace* Interpreter::new_namespace() {
  constexpr size_t kNamespaceBytes = sizeof(Namespace) + 32;
  spend(kNamespaceBytes);
  memory().keep(kNamespaceBytes);
  namespaces_.push_back(std::make_unique<Namespace>());
  return namespaces_.back().get();
}

void Interpreter::print(Output& out, const Text& text) {
  step();
  out.append(text, *this);
}

Interpreter::Flow Interpreter::run(const Block& block, Scope& scope, Output& out) {
  const DepthGuard guard(*this);
  for (const auto& stmt : block) {
    try {
      if (const Flow flow = run(*stmt, scope, out); flow != Flow::normal) return flow;
    } catch (Failure& failure) {
      if (failure.line == 0) failure.line = stmt->line;
      throw;
    }
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run(const Stmt& stmt, Scope& scope, Output& out) {
  step();
  const Memory::Statement statement(memory());
  switch (stmt.kind) {
    case StmtKind::text: print(out, stmt.text); break;
    case StmtKind::output: print(out, str(evaluate(*stmt.expressions[0], scope))); break;
    case StmtKind::if_: return run_if(stmt, scope, out);
    case StmtKind::for_:
      return run_for(stmt, scope, out, filter_elements(stmt, scope, elements_of(evaluate(*stmt.expressions[0], scope))),
                     1);
    case StmtKind::set: assign(stmt.target, evaluate_assigned(stmt, scope), scope); break;
    case StmtKind::set_block:
    case StmtKind::filter_block:
    case StmtKind::generation: return run_captured(stmt, scope, out);
    case StmtKind::macro: scope.variables[stmt.text] = make_macro(stmt, scope); break;
    case StmtKind::call_block: run_call_block(stmt, scope, out); break;
    case StmtKind::with: return run_with(stmt, scope, out);
    case StmtKind::break_: return Flow::break_;
    case StmtKind::continue_: return Flow::continue_;
  }
  return Flow::normal;
}

// The body prints into a text of its own, in a scope of its own; then something is done with the text.
Interpreter::Flow Interpreter::run_captured(const Stmt& stmt, Scope& scope, Output& out) {
  Output printed;
  {
    OwnScope inner(*this, scope, stmt.hidden);
    if (stmt.takes_caller) inner->variables["caller"] = Undefined{"caller"};
    if (stmt.takes_kwargs) inner->variables["kwargs"] = Dict();
    if (stmt.takes_varargs) inner->variables["varargs"] = Value(List{}, Sequence::tuple);
    if (const Flow flow = run(stmt.bodies[0], *inner, printed); flow != Flow::normal) return flow;
  }
  Text text = printed.take();
  if (stmt.kind == StmtKind::generation) {
    print(out, text);
    return Flow::normal;
  }
  const Expr* filters = stmt.expressions[0].get();
  const Value value = filters ? filter_through(*filters, std::move(text), scope) : Value(std::move(text));
  if (stmt.kind == StmtKind::set_block)
    assign(stmt.target, value, scope);
  else
    print(out, text_of(value, "a filter block"));
  return Flow::normal;
}

Value Interpreter::filter_through(const Expr& filters, Text text, Scope& scope) {
  static const std::vector<std::string> kNone;
  OwnScope inner(*this, scope, kNone);
  inner->variables.emplace(kFilterInput, std::move(text));
  return evaluate(filters, *inner);
}

Interpreter::Flow Interpreter::run_if(const Stmt& stmt, Scope& scope, Output& out) {
  for (size_t idx = 0; idx < stmt.expressions.size(); ++idx)
    if (evaluate(*stmt.expressions[idx], scope).truthy()) return run(stmt.bodies[idx], scope, out);
  if (stmt.bodies.size() > stmt.expressions.size()) return run(stmt.bodies.back(), scope, out);
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_with(const Stmt& stmt, Scope& scope, Output& out) {
  OwnScope inner(*this, scope, stmt.hidden);
  for (size_t idx = 0; idx < stmt.expressions.size(); ++idx)
    assign(stmt.target.parts[idx], evaluate(*stmt.expressions[idx], scope), *inner);
  return run(stmt.bodies[0], *inner, out);
}

void Interpreter::run_call_block(const Stmt& stmt, Scope& scope, Output& out) {
  const Value function = evaluate(*stmt.call->children[0], scope);
  Arguments arguments = evaluate_arguments(*stmt.call, scope);
  for (const auto& entry : arguments.named)
    if (entry.first == "caller") throw Failure{"'caller' is given twice"};
  arguments.named.emplace_back("caller", make_macro(stmt, scope));
  print(out, str(call(function, arguments)));
}

List Interpreter::elements_of(const Value& value) {
  // A character becomes a value with a string of its own.
  constexpr size_t kCharacterBytes = sizeof(Value) + 80;
  List elements;
  if (value.is_undefined()) return elements;
  if (const Text* text = value.text()) {
    const size_t n = count_characters(text->bytes());
    spend(n, kCharacterBytes);
    step(n >> 1);
    elements.reserve(n);
    size_t at = 0;
    for (const auto character : characters_of(text->bytes())) {
      elements.emplace_back(text->slice(at, character.size()));
      at += character.size();
    }
    return elements;
  }
  if (const List* list = value.list()) {
    spend(list->size(), sizeof(Value));
    step(list->size() >> 3);
    return *list;
  }
  if (const Dict* dict = value.dict()) {
    spend(dict->items.size(), sizeof(Value));
    for (const auto& entry : dict->items) elements.push_back(entry.first);
    return elements;
  }
  if (Generator* generator = value.generator()) {
    for (Value element; next(*generator, element);) {
      spend(sizeof(Value));
      elements.push_back(std::move(element));
    }
    return elements;
  }
  if (LoopState* loop = value.loop()) {
    // The elements that are left of the loop, each paired with the loop itself.
    while (loop->idx + 1 < loop->elements->size()) {
      step();
      spend(kCharacterBytes + 2 * sizeof(Value));
      elements.push_back(Value(List{(*loop->elements)[++loop->idx], value}, Sequence::tuple));
    }
    return elements;
  }
  throw Failure{fmt::format("a value of type {} cannot be iterated over", value.type_name())};
}

bool Interpreter::next(Generator& generator, Value& value) {
  const DepthGuard guard(*this);
  while (true) {
    step();
    const Memory::Statement statement(memory());
    if (Generator* source = generator.source.generator()) {
      if (!next(*source, value)) return false;
    } else {
      if (generator.at == generator.elements.size()) return false;
      value = generator.elements[generator.at++];
    }
    if (!generator.transform || generator.transform(*this, value)) return true;
  }
}

bool Interpreter::contains(const Value& container, const Value& element) {
  if (const Text* text = container.text()) {
    if (!element.string()) throw Failure{fmt::format("'in <str>' needs a string, not {}", element.type_name())};
    step(text->size() >> 6);
    return find_bytes(text->bytes(), *element.string()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    if (!element.is_hashable()) throw Failure{fmt::format("a value of type {} cannot be a key", element.type_name())};
    return dict->find(element, *this) != nullptr;
  }
  const auto is_element = [&](const Value& value) { return value.equals(element, *this); };
  if (container.list() && container.sequence() == Sequence::keys && !element.is_hashable())
    throw Failure{fmt::format("a value of type {} cannot be a key", element.type_name())};
  if (container.list()) return std::ranges::any_of(*container.list(), is_element);
  if (Generator* generator = container.generator()) {
    for (Value value; next(*generator, value);)
      if (is_element(value)) return true;
    return false;
  }
  return std::ranges::any_of(elements_of(container), is_element);
}

List Interpreter::filter_elements(const Stmt& stmt, Scope& scope, List elements) {
  if (!stmt.expressions[1]) return elements;
  List kept;
  static const std::vector<std::string> kNone;
  OwnScope inner(*this, scope, kNone);
  for (Value& element : elements) {
    const Memory::Statement statement(memory());
    inner.renew();
    assign(stmt.target, element, *inner);
    if (evaluate(*stmt.expressions[1], *inner).truthy()) kept.push_back(std::move(element));
  }
  return kept;
}

// break and continue in the else belong to the loop around.
Interpreter::Flow Interpreter::run_for(const Stmt& stmt, Scope& scope, Output& out, List elements, int64_t depth) {
  auto state = std::make_unique<LoopState>();
  LoopState& loop = *state;
  loop.elements = std::make_shared<const List>(std::move(elements));
  loop.depth = depth;
  if (stmt.recursive) {
    // loop(children) runs the same body over them and gives its text.
    for (Scope* outer = &scope; outer && !outer->is_captured; outer = outer->parent) outer->is_captured = true;
    loop.recurse = [this, &stmt, &scope, depth](Interpreter&, const Arguments& a) {
      if (a.positional.size() != 1 || !a.named.empty()) throw Failure{"loop() takes one argument"};
      Output text;
      const DepthGuard guard(*this);
      run_for(stmt, scope, text, filter_elements(stmt, scope, elements_of(a.positional[0])), depth + 1);
      return Value(text.take());
    };
  }
  if (stmt.reads_loop || stmt.recursive) {
    // `loop` may be kept in a value beyond the loop's end.
    const size_t n_bytes = sizeof(LoopState) + 64 + loop.elements->capacity() * sizeof(Value);
    spend(n_bytes);
    memory().keep(n_bytes);
    loops_.push_back(std::move(state));
  }
  bool is_through = false;  // one turn went to its end: as Jinja has it, break and continue do not count
  OwnScope inner(*this, scope, stmt.hidden);
  for (const size_t n = loop.elements->size(); loop.idx < n; ++loop.idx) {
    step();
    inner.renew();
    if (stmt.reads_loop || stmt.recursive) inner->variables.emplace("loop", Value(&loop));
    assign(stmt.target, (*loop.elements)[loop.idx], *inner);
    const Flow flow = run(stmt.bodies[0], *inner, out);
    if (flow == Flow::break_) break;
    if (flow == Flow::normal) is_through = true;
  }
  if (loop.idx > 0 && loop.idx == loop.elements->size()) --loop.idx;  // it stays at its last, for who kept it
  if (is_through || stmt.bodies.size() < 2) return Flow::normal;
  OwnScope fallback(*this, scope, stmt.hidden_else);
  return run(stmt.bodies[1], *fallback, out);
}

void Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.field.empty()) {
    const Value* object = scope.find(target.name);
    if (!object || !object->ns())
      throw Failure{fmt::format("'{}.{}': only a namespace can be written to", target.name, target.field)};
    if (target.field.starts_with("_")) throw Failure{fmt::format("a namespace cannot keep '{}'", target.field)};
    const size_t n_before = object->ns()->values.items.size();
    object->ns()->values.set(target.field, value, *this);
    memory().keep((object->ns()->values.items.size() - n_before) * 4 * sizeof(Value));
    return;
  }
  if (target.parts.empty()) {
    scope.variables[target.name] = value;
    return;
  }
  if (value.is_undefined()) throw Failure{"an undefined value cannot be taken apart"};
  const List elements = elements_of(value);
  if (elements.size() != target.parts.size())
    throw Failure{fmt::format("{} values for {} names", elements.size(), target.parts.size())};
  for (size_t idx = 0; idx < elements.size(); ++idx) assign(target.parts[idx], elements[idx], scope);
}

// A macro sees the variables around it as they are when it is called.
Value Interpreter::make_macro(const Stmt& stmt, Scope& scope) {
  spend(sizeof(Callable));
  for (Scope* outer = &scope; outer && !outer->is_captured; outer = outer->parent) outer->is_captured = true;
  const std::string name = stmt.kind == StmtKind::macro ? "'" + stmt.text + "'" : "anonymous";
  return Value(Function([&stmt, &scope](Interpreter& in, const Arguments& a) { return in.call_macro(stmt, scope, a); }),
               nullptr, "<Macro " + name + ">");
}

Value Interpreter::call_macro(const Stmt& stmt, Scope& scope, const Arguments& arguments) {
  const DepthGuard guard(*this);
  const std::string_view name = stmt.kind == StmtKind::macro ? std::string_view(stmt.text) : "caller";
  OwnScope inner(*this, scope, stmt.hidden);
  const size_t n_given = std::min(arguments.positional.size(), stmt.names.size());
  std::vector<const Value*> given(stmt.names.size(), nullptr);
  for (size_t idx = 0; idx < n_given; ++idx) given[idx] = &arguments.positional[idx];
  Dict kwargs;
  Value caller;
  for (const auto& [key, value] : arguments.named) {
    const auto found = std::find(stmt.names.begin() + static_cast<ptrdiff_t>(n_given), stmt.names.end(), key);
    if (found != stmt.names.end())
      given[static_cast<size_t>(found - stmt.names.begin())] = &value;
    else if (key == "caller" && stmt.takes_caller)
      caller = value;
    else if (stmt.takes_kwargs)
      kwargs.set(key, value, *this);
    else
      throw Failure{fmt::format("macro '{}' takes no argument '{}'", name, key)};
  }
  if (arguments.positional.size() > stmt.names.size() && !stmt.takes_varargs)
    throw Failure{fmt::format("macro '{}' takes {} arguments, {} were given", name, stmt.names.size(),
                              arguments.positional.size())};
  if (stmt.takes_caller) inner->variables["caller"] = caller.is_none() ? Value(Undefined{"caller"}) : caller;
  if (stmt.takes_kwargs) inner->variables["kwargs"] = std::move(kwargs);
  if (stmt.takes_varargs)
    inner->variables["varargs"] =
        Value(List(arguments.positional.begin() + static_cast<ptrdiff_t>(n_given), arguments.positional.end()),
              Sequence::tuple);
  const size_t first_default = stmt.names.size() - stmt.expressions.size();
  for (size_t idx = 0; idx < stmt.names.size(); ++idx)
    inner->variables[stmt.names[idx]] = given[idx] ? *given[idx]
                                        : idx >= first_default
                                            ? evaluate(*stmt.expressions[idx - first_default], *inner)
                                            : Value(Undefined{stmt.names[idx]});
  Output out;
  run(stmt.bodies[0], *inner, out);
  return out.take();
}

Value Interpreter::call(const Value& function, const Arguments& arguments) {
  step();
  if (const Callable* callable = function.callable()) return callable->call(*this, arguments);
  if (LoopState* loop = function.loop()) {
    if (!loop->recurse) throw Failure{"loop() works in a loop marked 'recursive' only"};
    return loop->recurse(*this, arguments);
  }
  if (const Undefined* undefined = function.undefined())
    throw Failure{fmt::format("'{}' is undefined", undefined->name())};
  throw Failure{fmt::format("a value of type {} cannot be called", function.type_name())};
}

// Python's getattr(), then the item of that name.
Value Interpreter::attribute_of(const Value& object, const std::string& name) {
  if (const Undefined* undefined = object.undefined())
    throw Failure{fmt::format("'{}' is undefined, so it has no '{}'", undefined->name(), name)};
  if (Namespace* ns = object.ns()) {
    const Value* found = ns->values.find_name(name);
    return found ? *found : Value(Undefined{name});
  }
  if (LoopState* loop = object.loop()) return loop_attribute(*loop, name);
  Value method;
  if (find_method(object, name, method)) return method;
  if (object.dict())
    if (const Value* found = object.dict()->find_name(name)) return *found;
  return Undefined{name};
}

Value Interpreter::item_of(const Value& object, const Value& key) {
  if (const Undefined* undefined = object.undefined())
    throw Failure{fmt::format("'{}' is undefined, so it has no items", undefined->name())};
  if (object.dict() && key.is_hashable())
    if (const Value* found = object.dict()->find(key, *this)) return *found;
  if ((key.is_int() || key.is_bool()) && (object.is_indexable() || object.string())) {
    const auto n = static_cast<int64_t>(object.length());
    const int64_t given = key.to_int("an index");
    const int64_t idx = given < 0 ? given + n : given;
    if (idx < 0 || idx >= n) return Undefined{"an index out of range"};
    if (object.list()) return (*object.list())[static_cast<size_t>(idx)];
    step(object.string()->size() >> 6);
    const size_t begin = byte_of_character(object.text()->bytes(), static_cast<size_t>(idx));
    const size_t end = byte_of_character(object.text()->bytes(), static_cast<size_t>(idx) + 1);
    return keep_markup(object, object.text()->slice(begin, end - begin));
  }
  if (key.string()) return attribute_of(object, *key.string());
  return Undefined{"an item"};
}

Value Interpreter::apply_filter(std::string_view name, const Value& input, const Arguments& arguments) {
  const Builtin* filter = find_filter(name);
  if (!filter) throw Failure{fmt::format("no filter is named '{}'", name)};
  return filter->call(*this, input, arguments);
}

bool Interpreter::apply_test(std::string_view name, const Value& subject, const Arguments& arguments) {
  const Builtin* test = find_test(name);
  if (!test) throw Failure{fmt::format("no test is named '{}'", name)};
  return test->call(*this, subject, arguments).truthy();
}

}  // namespace ogas::jinja
