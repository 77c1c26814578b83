// Runs a parsed template within bounds.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "text/jinja_ast.h"

namespace ogas::jinja {

// Variables, innermost scope first. A loop and a macro have a scope of their own; an if has not.
struct Scope {
  std::map<std::string, Value, std::less<>> variables;
  const Scope* parent = nullptr;

  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope; scope = scope->parent)
      if (const auto found = scope->variables.find(name); found != scope->variables.end()) return &found->second;
    return nullptr;
  }
};

// Bounds on one rendering, far above what chat templates need for long conversations; a hostile template meets them in
// well under 100 ms and 64 MiB.
struct Limits {
  size_t n_steps = 1'000'000;         // expressions and statements evaluated
  size_t n_bytes = size_t{24} << 20;  // of all strings and lists made along the way, the output included
  int depth = 400;                    // calls and blocks within each other
};

class Interpreter {
 public:
  explicit Interpreter(const Limits& limits = {}) : limits_(limits) {}

  // Throws Failure, with the line where it happened.
  std::string render(const Block& block, Scope& globals);

  // For filters, tests and functions.
  Value call(const Value& function, const Arguments& arguments);
  Value apply_filter(std::string_view name, const Value& input, const Arguments& arguments);
  bool apply_test(std::string_view name, const Value& subject, const Arguments& arguments);
  Value attribute_of(const Value& object, const std::string& name);
  Value item_of(const Value& object, const Value& key);
  // What a for loop over it sees; counted.
  List elements_of(const Value& value);
  // Counts bytes that are about to be made; throws Failure past the limit.
  void spend(size_t n_bytes);
  void step();

 private:
  enum class Flow { normal, break_, continue_ };
  class DepthGuard;
  struct Loop;

  Flow run(const Block& block, Scope& scope, std::string& out);
  Flow run(const Stmt& stmt, Scope& scope, std::string& out);
  Flow run_if(const Stmt& stmt, Scope& scope, std::string& out);
  void run_for(const Stmt& stmt, Scope& scope, std::string& out, const List& elements, int64_t depth);
  List filter_elements(const Stmt& stmt, Scope& scope, List elements);
  void run_set_block(const Stmt& stmt, Scope& scope);
  void assign(const std::vector<std::string>& targets, const Value& value, Scope& scope);
  Value make_macro(const Stmt& stmt, Scope& scope);
  void print(std::string& out, const Value& value);

  Value evaluate(const Expr& expr, Scope& scope);
  Value evaluate_kind(const Expr& expr, Scope& scope);
  Value evaluate_call(const Expr& expr, Scope& scope);
  Value evaluate_slice(const Expr& expr, Scope& scope);
  Value evaluate_compare(const Expr& expr, Scope& scope);
  Value evaluate_binary(std::string_view op, const Value& left, const Value& right);
  Value evaluate_literal_dict(const Expr& expr, Scope& scope);
  Arguments evaluate_arguments(const Expr& expr, Scope& scope);

  Limits limits_;
  size_t n_steps_ = 0;
  size_t n_bytes_ = 0;
  int depth_ = 0;
};

// The filters, tests, methods and global functions by name (jinja_builtins.cc).
using Filter = Value (*)(Interpreter&, const Value& input, const Arguments&);
using Test = bool (*)(Interpreter&, const Value& subject, const Arguments&);
Filter find_filter(std::string_view name);  // null where there is none
Test find_test(std::string_view name);
// A method bound to its object; undefined where the type has none of that name.
Value find_method(const Value& object, std::string_view name);
void add_global_functions(Scope& scope);

}  // namespace ogas::jinja
