// Which names start undefined in a scope, by jinja2's rules (idtracking.py, FrameSymbolVisitor).
#include <map>
#include <optional>
#include <set>
#include <string>

#include "jinja/check.h"

namespace ogas::jinja {
namespace {

enum class Start { resolved, aliased, undefined, parameter };

// The names a scope mentions, and what each starts as.
struct Symbols {
  const Symbols* parent = nullptr;
  std::map<std::string, Start> starts = {};
  std::set<std::string> stores = {};

  bool mentions(const std::string& name) const {
    for (const Symbols* scope = this; scope; scope = scope->parent)
      if (scope->starts.contains(name)) return true;
    return false;
  }
  void load(const std::string& name) {
    if (!mentions(name)) starts[name] = Start::resolved;
  }
  void store(const std::string& name) {
    stores.insert(name);
    if (starts.contains(name)) return;
    starts[name] = parent && parent->mentions(name) ? Start::aliased : Start::undefined;
  }
  void declare(const std::string& name) {
    stores.insert(name);
    starts[name] = Start::parameter;
  }
  std::vector<std::string> undefined() const {
    std::vector<std::string> names;
    for (const auto& [name, start] : starts)
      if (start == Start::undefined) names.push_back(name);
    return names;
  }
};

// Names of one scope: what its own statements read and assign, without nested scopes.
class ScopeVisitor {
 public:
  explicit ScopeVisitor(Symbols& symbols) : symbols_(symbols) {}

  void visit(const Block& block) {
    for (const auto& stmt : block) visit(*stmt);
  }
  void read(const Expr* expr) {
    if (!expr) return;
    if (expr->kind == ExprKind::name && expr->text != kFilterInput) symbols_.load(expr->text);
    for (const auto& child : expr->children) read(child.get());
    for (const auto& argument : expr->arguments) read(argument.get());
  }
  void assign(const Target& target) {
    if (!target.field.empty())
      symbols_.load(target.name);
    else if (target.parts.empty())
      symbols_.store(target.name);
    for (const Target& part : target.parts) assign(part);
  }
  void declare(const Target& target) {
    if (target.parts.empty()) symbols_.declare(target.name);
    for (const Target& part : target.parts) declare(part);
  }

 private:
  void visit(const Stmt& stmt) {
    switch (stmt.kind) {
      case StmtKind::output: return read(stmt.expressions[0].get());
      case StmtKind::if_: return visit_if(stmt, 0);
      case StmtKind::for_: return read(stmt.expressions[0].get());
      case StmtKind::set: read(stmt.expressions[0].get()); return assign(stmt.target);
      case StmtKind::set_block: return assign(stmt.target);
      case StmtKind::macro: return symbols_.store(stmt.text);
      case StmtKind::call_block: return read(stmt.call.get());
      case StmtKind::filter_block: return read(stmt.expressions[0].get());
      case StmtKind::with:
        for (const auto& value : stmt.expressions) read(value.get());
        return;
      default: return;
    }
  }

  // The branch at idx: its condition, its body, and what follows as the other branch. Names assigned in some branches
  // only start as they are outside.
  void visit_if(const Stmt& stmt, size_t idx) {
    read(stmt.expressions[idx].get());
    Symbols original = symbols_;
    std::vector<Symbols> branches;
    const auto branch = [&](const auto& walk) {
      symbols_ = original;
      walk();
      branches.push_back(symbols_);
    };
    branch([&] { visit(stmt.bodies[idx]); });
    branch([&] {
      for (size_t next = idx + 1; next < stmt.expressions.size(); ++next) {
        // elif: jinja2 walks each as an if without branches of its own.
        ScopeVisitor(symbols_).visit_elif(stmt, next);
      }
    });
    branch([&] {
      if (stmt.bodies.size() > stmt.expressions.size()) visit(stmt.bodies.back());
    });
    symbols_ = merged(std::move(original), branches);
  }
  void visit_elif(const Stmt& stmt, size_t idx) {
    read(stmt.expressions[idx].get());
    const Symbols original = symbols_;
    std::vector<Symbols> branches;
    visit(stmt.bodies[idx]);
    branches.push_back(symbols_);
    branches.push_back(original);
    branches.push_back(original);
    symbols_ = merged(original, branches);
  }

  static Symbols merged(Symbols result, const std::vector<Symbols>& branches) {
    std::map<std::string, size_t> n_stores;
    for (const Symbols& branch : branches)
      for (const std::string& name : branch.stores)
        if (!result.stores.contains(name)) ++n_stores[name];
    for (const Symbols& branch : branches) {
      for (const auto& [name, start] : branch.starts) result.starts[name] = start;
      result.stores.insert(branch.stores.begin(), branch.stores.end());
    }
    for (const auto& [name, n] : n_stores) {
      if (n == branches.size()) continue;
      result.starts[name] = result.parent && result.parent->mentions(name) ? Start::aliased : Start::resolved;
    }
    return result;
  }

  Symbols& symbols_;
};

void find_in(Block& block, const Symbols& outer);

std::vector<std::string> find_in_scope(Block& body, Symbols symbols) {
  ScopeVisitor(symbols).visit(body);
  find_in(body, symbols);
  return symbols.undefined();
}

void find_in(Stmt& stmt, const Symbols& outer) {
  Symbols inner{.parent = &outer};
  ScopeVisitor visitor(inner);
  switch (stmt.kind) {
    case StmtKind::if_:
      for (Block& body : stmt.bodies) find_in(body, outer);
      return;
    case StmtKind::for_:
      if (stmt.reads_loop || stmt.recursive) inner.declare("loop");
      visitor.declare(stmt.target);
      break;
    case StmtKind::macro:
    case StmtKind::call_block:
    case StmtKind::generation:
      for (const std::string& name : stmt.names) inner.declare(name);
      for (const auto& value : stmt.expressions) visitor.read(value.get());
      if (stmt.takes_caller) inner.declare("caller");
      if (stmt.takes_kwargs) inner.declare("kwargs");
      if (stmt.takes_varargs) inner.declare("varargs");
      break;
    case StmtKind::with: visitor.declare(stmt.target); break;
    case StmtKind::set_block: visitor.read(stmt.expressions[0].get()); break;
    case StmtKind::filter_block: break;
    default: return;
  }
  stmt.hidden = find_in_scope(stmt.bodies[0], inner);
  if (stmt.bodies.size() > 1) stmt.hidden_else = find_in_scope(stmt.bodies[1], Symbols{.parent = &outer});
}

void find_in(Block& block, const Symbols& outer) {
  for (const auto& stmt : block) find_in(*stmt, outer);
}

}  // namespace

void find_hidden_names(Program& program) { program.hidden = find_in_scope(program.body, {}); }

}  // namespace ogas::jinja
