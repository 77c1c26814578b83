#include "jinja/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "jinja/builtins.h"

namespace ogas::jinja {
namespace {

// visit(expr) for an expression and all below it, until one answers true.
template <class Visit>
bool any_expr(const Expr* expr, const Visit& visit) {
  if (!expr) return false;
  if (visit(*expr)) return true;
  const auto within = [&](const ExprPtr& child) { return any_expr(child.get(), visit); };
  return std::ranges::any_of(expr->children, within) || std::ranges::any_of(expr->arguments, within);
}

bool reads(const Block& block, std::string_view name);

bool reads(const Stmt& stmt, std::string_view name) {
  const auto is_name = [&](const Expr& expr) { return expr.kind == ExprKind::name && expr.text == name; };
  return any_expr(stmt.call.get(), is_name) ||
         std::ranges::any_of(stmt.expressions, [&](const ExprPtr& e) { return any_expr(e.get(), is_name); }) ||
         std::ranges::any_of(stmt.bodies, [&](const Block& body) { return reads(body, name); });
}

bool reads(const Block& block, std::string_view name) {
  return std::ranges::any_of(block, [&](const auto& stmt) { return reads(*stmt, name); });
}

bool is_constant(const Expr* expr) {
  return !any_expr(expr, [](const Expr& e) { return e.kind == ExprKind::name || e.kind == ExprKind::call; });
}

// guarded: an unknown name is an error only where it is reached. jinja2 does so within conditions, and drops what
// constants decide beforehand: (true or x is unknown).
void check(const Expr* expr, bool guarded) {
  if (!expr) return;
  const bool is_logical = expr->kind == ExprKind::logical_and || expr->kind == ExprKind::logical_or;
  guarded |= expr->kind == ExprKind::conditional || (is_logical && is_constant(expr->children[0].get()));
  const bool unknown = (expr->kind == ExprKind::filter && !is_filter(expr->text)) ||
                       (expr->kind == ExprKind::test && !is_test(expr->text));
  if (unknown && !guarded)
    throw Failure{fmt::format("line {}: no {} is named '{}'", expr->line,
                              expr->kind == ExprKind::filter ? "filter" : "test", expr->text.substr(0, 40)),
                  expr->line};
  for (const auto& child : expr->children) check(child.get(), guarded);
  for (const auto& argument : expr->arguments) check(argument.get(), guarded);
}

// A list or a dictionary written out, or a tuple with one in it.
bool is_unhashable_literal(const Expr& expr) {
  if (expr.kind == ExprKind::list || expr.kind == ExprKind::dict) return true;
  return expr.kind == ExprKind::tuple &&
         std::ranges::any_of(expr.children, [](const ExprPtr& child) { return is_unhashable_literal(*child); });
}

// jinja2 evaluates constants within operations when it compiles, and one that no dictionary takes as its key fails
// there, reached or not. folds: the expression is part of an operation.
void check_keys(const Expr* expr, bool folds) {
  if (!expr) return;
  const bool is_literal = expr->kind == ExprKind::literal || expr->kind == ExprKind::name ||
                          expr->kind == ExprKind::list || expr->kind == ExprKind::tuple || expr->kind == ExprKind::dict;
  folds |= !is_literal;
  for (size_t idx = 0; folds && expr->kind == ExprKind::dict && idx + 1 < expr->children.size(); idx += 2) {
    const Expr &key = *expr->children[idx], &value = *expr->children[idx + 1];
    if (!is_constant(&key) || !is_constant(&value)) break;
    if (is_unhashable_literal(key))
      throw Failure{fmt::format("line {}: a list or a dictionary cannot be a key", expr->line), expr->line};
  }
  for (const auto& child : expr->children) check_keys(child.get(), folds);
  for (const auto& argument : expr->arguments) check_keys(argument.get(), folds);
}

void check(Block& block, bool guarded);

void check(Stmt& stmt, bool guarded) {
  const bool is_if = stmt.kind == StmtKind::if_;
  const bool is_function =
      stmt.kind == StmtKind::macro || stmt.kind == StmtKind::call_block || stmt.kind == StmtKind::generation;
  const bool filters_own = stmt.kind == StmtKind::filter_block || stmt.kind == StmtKind::set_block;
  for (size_t idx = 0; idx < stmt.expressions.size(); ++idx) {
    const bool in_scope_of_its_own = is_function || filters_own || (stmt.kind == StmtKind::for_ && idx > 0);
    check(stmt.expressions[idx].get(), is_if || (guarded && !in_scope_of_its_own));
    check_keys(stmt.expressions[idx].get(), false);
  }
  check(stmt.call.get(), guarded);
  check_keys(stmt.call.get(), false);
  for (Block& body : stmt.bodies) check(body, is_if);
  if (stmt.kind == StmtKind::for_) stmt.reads_loop = reads(stmt.bodies[0], "loop");
  if (!is_function) return;
  stmt.takes_caller = reads(stmt.bodies[0], "caller");
  stmt.takes_varargs = reads(stmt.bodies[0], "varargs");
  stmt.takes_kwargs = reads(stmt.bodies[0], "kwargs");
}

void check(Block& block, bool guarded) {
  for (const auto& stmt : block) check(*stmt, guarded);
}

}  // namespace

void check_names(Block& block) { check(block, false); }

}  // namespace ogas::jinja
