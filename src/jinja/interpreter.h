// Runs a parsed template within bounds.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"

namespace ogas::jinja {

// Variables of one scope. A loop, a macro and most blocks have a scope of their own; an if has not.
struct Scope {
  std::map<std::string, Value, std::less<>> variables = {};
  Scope* parent = nullptr;
  bool is_captured = false;  // a macro refers to it, so it must live as long as the rendering

  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope; scope = scope->parent)
      if (const auto found = scope->variables.find(name); found != scope->variables.end()) return &found->second;
    return nullptr;
  }
};

// What a block prints.
class Output {
 public:
  void append(const Text& text, Budget& budget) {
    reserve_for(text_, text.size(), budget);
    text_.append(text);
    held_.resize(text_.footprint());
  }
  Text take() {
    held_.resize(0);
    return std::move(text_);
  }

 private:
  Text text_;
  Held held_;
};

class Interpreter : public Budget {
 public:
  explicit Interpreter(const Limits& limits = {});

  // Variables that the template sees; functions such as range are there already (globals.cc).
  Scope& globals() { return globals_; }
  // What strftime_now says in place of the time, for tests.
  std::string fixed_date = {};

  // Throws Failure, with the line where it happened. The program must outlive the Interpreter.
  Text render(const Program& program);

  // For filters, tests and functions.
  Value call(const Value& function, const Arguments& arguments);
  Value apply_filter(std::string_view name, const Value& input, const Arguments& arguments);
  bool apply_test(std::string_view name, const Value& subject, const Arguments& arguments);
  Value attribute_of(const Value& object, const std::string& name);
  Value item_of(const Value& object, const Value& key);
  // What a for loop over it sees; counted. Drains a generator.
  List elements_of(const Value& value);
  // The next of a generator; false at its end.
  bool next(Generator& generator, Value& value);
  bool contains(const Value& container, const Value& element);
  Text str(const Value& value) {
    if (value.text()) spend(value.text()->size());
    return str_of(value, *this);
  }
  Namespace* new_namespace();

 private:
  enum class Flow { normal, break_, continue_ };
  class DepthGuard;
  class OwnScope;

  Flow run(const Block& block, Scope& scope, Output& out);
  Flow run(const Stmt& stmt, Scope& scope, Output& out);
  Flow run_if(const Stmt& stmt, Scope& scope, Output& out);
  Flow run_for(const Stmt& stmt, Scope& scope, Output& out, List elements, int64_t depth);
  Flow run_with(const Stmt& stmt, Scope& scope, Output& out);
  void run_call_block(const Stmt& stmt, Scope& scope, Output& out);
  Flow run_captured(const Stmt& stmt, Scope& scope, Output& out);
  Value filter_through(const Expr& filters, Text text, Scope& scope);
  List filter_elements(const Stmt& stmt, Scope& scope, List elements);
  void assign(const Target& target, const Value& value, Scope& scope);
  Value make_macro(const Stmt& stmt, Scope& scope);
  Value call_macro(const Stmt& stmt, Scope& scope, const Arguments& arguments);
  void print(Output& out, const Text& text);

  Value evaluate(const Expr& expr, Scope& scope);
  Value evaluate_kind(const Expr& expr, Scope& scope);
  Value evaluate_list(const Expr& expr, Scope& scope, Sequence sequence);
  Value evaluate_dict(const Expr& expr, Scope& scope);
  Value evaluate_unary(const Expr& expr, Scope& scope);
  Value evaluate_concat(const Expr& expr, Scope& scope, const Target* target);
  Value evaluate_assigned(const Stmt& stmt, Scope& scope);
  Value evaluate_slice(const Expr& expr, Scope& scope);
  Value evaluate_compare(const Expr& expr, Scope& scope);
  Arguments evaluate_arguments(const Expr& expr, Scope& scope);

  int depth_ = 0;
  Scope globals_;
  // What macros, `loop` and namespaces in values point to.
  std::vector<std::unique_ptr<Scope>> captured_;
  std::vector<std::unique_ptr<LoopState>> loops_;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
};

// left op right for + - * / // % ** ~ (operators.cc).
Value apply_operator(Interpreter& in, std::string_view op, const Value& left, const Value& right);

}  // namespace ogas::jinja
