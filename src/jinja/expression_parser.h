// The expressions of the template language; parser.cc adds the statements. Private to it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace ogas::jinja {

class ExpressionParser {
 protected:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // Nesting of expressions and blocks: bounds the stack of the parser, and with it that of the interpreter.
  static constexpr int kMaxDepth = 150;
  // Of one expression's tree, long chains of operators included; bounds its walks and its destruction.
  static constexpr int kMaxHeight = 200;

  struct DepthGuard {
    explicit DepthGuard(ExpressionParser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxDepth) parser_.fail("nested too deeply");
    }
    ~DepthGuard() { --parser_.depth_; }
    ExpressionParser& parser_;
  };

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool is_op(std::string_view op) const { return peek().type == TokenType::op && peek().text == op; }
  bool is_name(std::string_view name) const { return peek().type == TokenType::name && peek().text == name; }
  bool take_op(std::string_view op) { return is_op(op) && (take(), true); }
  bool take_name(std::string_view name) { return is_name(name) && (take(), true); }
  void expect_op(std::string_view op) {
    if (!take_op(op)) fail(fmt::format("'{}' is expected, not {}", op, describe(peek())));
  }
  void expect_name(std::string_view name) {
    if (!take_name(name)) fail(fmt::format("'{}' is expected, not {}", name, describe(peek())));
  }
  void expect(TokenType type, std::string_view what) {
    if (peek().type != type) fail(fmt::format("{} is expected, not {}", what, describe(peek())));
    take();
  }
  std::string take_identifier() {
    if (peek().type != TokenType::name) fail(fmt::format("a name is expected, not {}", describe(peek())));
    return take().text;
  }

  static std::string describe(const Token& token) {
    switch (token.type) {
      case TokenType::text: return "text";
      case TokenType::output_begin: return "'{{'";
      case TokenType::output_end: return "'}}'";
      case TokenType::block_begin: return "'{%'";
      case TokenType::block_end: return "'%}'";
      case TokenType::end: return "the end of the template";
      default: return fmt::format("'{}'", token.text.substr(0, 40));
    }
  }
  [[noreturn]] void fail(std::string_view message) const {
    throw Failure{fmt::format("line {}, column {}: {}", peek().line, peek().column, message), peek().line};
  }

  ExprPtr make(ExprKind kind) const {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->line = peek().line;
    return expr;
  }
  ExprPtr make(ExprKind kind, ExprPtr first) const {
    auto expr = make(kind);
    expr->line = first->line;
    adopt(*expr, std::move(first));
    return expr;
  }
  void adopt(Expr& parent, ExprPtr child) const {
    raise(parent, child.get());
    parent.children.push_back(std::move(child));
  }
  void adopt_argument(Expr& call, ExprPtr argument) const {
    raise(call, argument.get());
    call.arguments.push_back(std::move(argument));
  }
  void raise(Expr& parent, const Expr* child) const {
    if (child) parent.height = std::max(parent.height, child->height + 1);
    if (parent.height > kMaxHeight) fail("an expression is too long");
  }
  ExprPtr make_literal(Value value) const {
    auto expr = make(ExprKind::literal);
    expr->value = std::move(value);
    return expr;
  }

  // Expressions, loosest binding first.

  // One expression, or several with commas.
  ExprPtr parse_tuple(bool with_conditional = true) {
    auto first = with_conditional ? parse_expression() : parse_or();
    if (!is_op(",")) return first;
    auto tuple = make(ExprKind::tuple, std::move(first));
    while (take_op(",")) {
      if (ends_tuple()) break;
      adopt(*tuple, with_conditional ? parse_expression() : parse_or());
    }
    return tuple;
  }
  bool ends_tuple() const {
    return is_op(")") || peek().type == TokenType::block_end || peek().type == TokenType::output_end;
  }

  ExprPtr parse_expression() {
    const DepthGuard guard(*this);
    auto expr = parse_or();
    while (take_name("if")) {
      auto conditional = make(ExprKind::conditional, std::move(expr));
      adopt(*conditional, parse_or());
      adopt(*conditional, take_name("else") ? parse_expression() : nullptr);
      expr = std::move(conditional);
    }
    return expr;
  }

  ExprPtr parse_or() {
    auto left = parse_and();
    while (take_name("or")) {
      left = make(ExprKind::logical_or, std::move(left));
      adopt(*left, parse_and());
    }
    return left;
  }
  ExprPtr parse_and() {
    auto left = parse_not();
    while (take_name("and")) {
      left = make(ExprKind::logical_and, std::move(left));
      adopt(*left, parse_not());
    }
    return left;
  }
  ExprPtr parse_not() {
    if (!is_name("not")) return parse_compare();
    const DepthGuard guard(*this);
    take();
    return make(ExprKind::negate, parse_not());
  }

  std::optional<std::string> take_comparison() {
    for (const std::string_view op : {"==", "!=", "<=", ">=", "<", ">"})
      if (take_op(op)) return std::string(op);
    if (take_name("in")) return "in";
    if (is_name("not") && peek(1).type == TokenType::name && peek(1).text == "in") {
      take();
      take();
      return "not in";
    }
    return {};
  }
  ExprPtr parse_compare() {
    auto left = parse_sum();
    ExprPtr compare;
    while (auto op = take_comparison()) {
      if (!compare) compare = make(ExprKind::compare, std::move(left));
      compare->names.push_back(*std::move(op));
      adopt(*compare, parse_sum());
    }
    return compare ? std::move(compare) : std::move(left);
  }

  template <class Next>
  ExprPtr parse_binary(std::initializer_list<std::string_view> kernels, const Next& next) {
    auto left = next();
    while (peek().type == TokenType::op && std::ranges::find(kernels, peek().text) != kernels.end()) {
      left = make(ExprKind::binary, std::move(left));
      left->text = take().text;
      adopt(*left, next());
    }
    return left;
  }
  ExprPtr parse_sum() {
    return parse_binary({"+", "-"}, [&] { return parse_concatenation(); });
  }
  ExprPtr parse_concatenation() {
    return parse_binary({"~"}, [&] { return parse_product(); });
  }
  ExprPtr parse_product() {
    return parse_binary({"*", "/", "//", "%"}, [&] { return parse_power(); });
  }
  ExprPtr parse_power() {
    return parse_binary({"**"}, [&] { return parse_unary(true); });
  }

  // A sign binds tighter than a filter to its right: -1|abs is abs(-1).
  ExprPtr parse_unary(bool with_filters) {
    const DepthGuard guard(*this);
    ExprPtr expr;
    if (is_op("-") || is_op("+")) {
      const std::string sign = take().text;
      expr = make(ExprKind::unary, parse_unary(false));
      expr->text = sign;
    } else {
      expr = parse_primary();
    }
    expr = parse_postfix(std::move(expr));
    return with_filters ? parse_filters(std::move(expr)) : std::move(expr);
  }

  ExprPtr parse_primary() {
    const Token& token = peek();
    switch (token.type) {
      case TokenType::name: return parse_name();
      case TokenType::integer: {
        int64_t value = 0;
        const auto [end, error] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
        if (error != std::errc()) fail(fmt::format("number {} is too large", token.text.substr(0, 40)));
        take();
        return make_literal(value);
      }
      case TokenType::real: return make_literal(std::strtod(take().text.c_str(), nullptr));
      case TokenType::string: {
        std::string text;
        while (peek().type == TokenType::string) text += take().text;
        return make_literal(std::move(text));
      }
      case TokenType::op: return parse_bracketed();
      default: fail(fmt::format("an expression is expected, not {}", describe(token)));
    }
  }

  ExprPtr parse_name() {
    const std::string& name = peek().text;
    if (name == "true" || name == "True") return take(), make_literal(true);
    if (name == "false" || name == "False") return take(), make_literal(false);
    if (name == "none" || name == "None") return take(), make_literal({});
    auto expr = make(ExprKind::name);
    expr->text = take().text;
    return expr;
  }

  ExprPtr parse_bracketed() {
    if (take_op("(")) {
      if (take_op(")")) return make(ExprKind::tuple);
      auto expr = parse_tuple();
      expect_op(")");
      return expr;
    }
    if (take_op("[")) {
      auto list = make(ExprKind::list);
      while (!is_op("]")) {
        if (!list->children.empty()) expect_op(",");
        if (is_op("]")) break;
        adopt(*list, parse_expression());
      }
      take();
      return list;
    }
    if (take_op("{")) {
      auto dict = make(ExprKind::dict);
      while (!is_op("}")) {
        if (!dict->children.empty()) expect_op(",");
        if (is_op("}")) break;
        adopt(*dict, parse_expression());
        expect_op(":");
        adopt(*dict, parse_expression());
      }
      take();
      return dict;
    }
    fail(fmt::format("an expression is expected, not {}", describe(peek())));
  }

  ExprPtr parse_postfix(ExprPtr expr) {
    while (true) {
      if (take_op(".")) {
        expr = make(ExprKind::attribute, std::move(expr));
        if (peek().type == TokenType::integer) {  // x.0 is x[0]
          expr->kind = ExprKind::item;
          adopt(*expr, parse_primary());
        } else {
          expr->text = take_identifier();
        }
      } else if (take_op("[")) {
        expr = parse_subscript(std::move(expr));
      } else if (is_op("(")) {
        expr = make(ExprKind::call, std::move(expr));
        parse_arguments(*expr);
      } else {
        return expr;
      }
    }
  }

  // After '['.
  ExprPtr parse_subscript(ExprPtr object) {
    ExprPtr bounds[3];
    size_t n_colons = 0;
    while (!is_op("]")) {
      if (take_op(":")) {
        if (++n_colons > 2) fail("a slice has at most two colons");
      } else {
        if (bounds[n_colons]) fail("']' is expected");
        bounds[n_colons] = n_colons == 0 ? parse_tuple() : parse_expression();
      }
    }
    take();
    auto expr = make(n_colons > 0 ? ExprKind::slice : ExprKind::item, std::move(object));
    if (n_colons == 0 && !bounds[0]) fail("an index is expected");
    for (size_t idx = 0; idx < (n_colons > 0 ? 3U : 1U); ++idx) adopt(*expr, std::move(bounds[idx]));
    return expr;
  }

  void parse_arguments(Expr& call) {
    expect_op("(");
    bool first = true;
    while (!is_op(")")) {
      if (!first) expect_op(",");
      if (is_op(")")) break;
      first = false;
      if (is_op("*") || is_op("**")) {
        call.names.push_back(take().text);
      } else if (peek().type == TokenType::name && peek(1).type == TokenType::op && peek(1).text == "=") {
        if (std::ranges::find(call.names, peek().text) != call.names.end())
          fail(fmt::format("argument '{}' is given twice", peek().text));
        call.names.push_back(take().text);
        take();
      } else if (!call.names.empty()) {
        fail("a positional argument follows a named one");
      }
      adopt_argument(call, parse_expression());
    }
    take();
  }

  // Filters, tests and calls of what they give.
  ExprPtr parse_filters(ExprPtr expr, bool with_tests = true) {
    while (true) {
      if (take_op("|"))
        expr = parse_filter(std::move(expr));
      else if (with_tests && take_name("is"))
        expr = parse_test(std::move(expr));
      else if (with_tests && is_op("(")) {
        expr = make(ExprKind::call, std::move(expr));
        parse_arguments(*expr);
      } else
        return expr;
    }
  }
  std::string take_dotted_name() {
    std::string name = take_identifier();
    while (take_op(".")) name += "." + take_identifier();
    return name;
  }
  ExprPtr parse_filter(ExprPtr input) {
    auto filter = make(ExprKind::filter, std::move(input));
    filter->text = take_dotted_name();
    if (is_op("(")) parse_arguments(*filter);
    return filter;
  }

  ExprPtr parse_test(ExprPtr subject) {
    const bool negated = take_name("not");
    auto test = make(ExprKind::test, std::move(subject));
    test->text = take_dotted_name();
    const Token& next = peek();
    const bool is_word = next.type == TokenType::name && next.text != "else" && next.text != "or" && next.text != "and";
    if (is_op("(")) {
      parse_arguments(*test);
    } else if (is_word || next.type == TokenType::string || next.type == TokenType::integer ||
               next.type == TokenType::real || is_op("[") || is_op("{")) {
      if (is_name("is")) fail("tests cannot be chained with 'is'");
      adopt_argument(*test, parse_postfix(parse_primary()));
    }
    return negated ? make(ExprKind::negate, std::move(test)) : std::move(test);
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace ogas::jinja
