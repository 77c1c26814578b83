#include "text/jinja_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>

#include "text/jinja_lexer.h"

namespace ogas::jinja {
namespace {

// Nesting of expressions and blocks: bounds the stack of the parser, and with it that of the interpreter.
constexpr int kMaxDepth = 150;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Block parse() {
    Block block = parse_block({});
    if (peek().type != TokenType::end) fail("unexpected end of a block");
    return block;
  }

 private:
  struct DepthGuard {
    explicit DepthGuard(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxDepth) parser_.fail("nested too deeply");
    }
    ~DepthGuard() { --parser_.depth_; }
    Parser& parser_;
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
    expr->children.push_back(std::move(first));
    return expr;
  }
  ExprPtr make_literal(Value value) const {
    auto expr = make(ExprKind::literal);
    expr->value = std::move(value);
    return expr;
  }

  // Statements.

  // Up to a tag that starts with one of `ends` (which is left in place), or to the end of the template.
  Block parse_block(std::initializer_list<std::string_view> ends) {
    const DepthGuard guard(*this);
    Block block;
    while (peek().type != TokenType::end) {
      if (peek().type == TokenType::text) {
        block.push_back(make_stmt(StmtKind::text));
        block.back()->text = take().text;
      } else if (peek().type == TokenType::output_begin) {
        take();
        block.push_back(make_stmt(StmtKind::output));
        block.back()->expressions.push_back(parse_tuple());
        expect(TokenType::output_end, "'}}'");
      } else {
        const std::string& word = peek(1).text;
        if (std::ranges::find(ends, word) != ends.end()) return block;
        take();
        block.push_back(parse_statement());
      }
    }
    if (ends.size() > 0) fail(fmt::format("'{}' is missing", *(ends.end() - 1)));
    return block;
  }

  std::unique_ptr<Stmt> make_stmt(StmtKind kind) const {
    auto stmt = std::make_unique<Stmt>();
    stmt->kind = kind;
    stmt->line = peek().line;
    return stmt;
  }

  // After '{%'; takes the whole statement up to the last '%}'.
  std::unique_ptr<Stmt> parse_statement() {
    if (peek().type != TokenType::name) fail(fmt::format("a statement is expected, not {}", describe(peek())));
    if (is_name("if")) return parse_if();
    if (is_name("for")) return parse_for();
    if (is_name("set")) return parse_set();
    if (is_name("macro")) return parse_macro();
    if (is_name("call")) return parse_call_block();
    if (is_name("filter")) return parse_filter_block();
    if (is_name("generation")) return parse_generation();
    if (is_name("break") || is_name("continue")) {
      if (loop_depth_ == 0) fail(fmt::format("'{}' outside of a loop", peek().text));
      auto stmt = make_stmt(is_name("break") ? StmtKind::break_ : StmtKind::continue_);
      take();
      end_tag();
      return stmt;
    }
    fail(fmt::format("statement '{}' is unknown or not supported", peek().text.substr(0, 40)));
  }

  void end_tag() { expect(TokenType::block_end, "'%}'"); }
  // '{% word %}'
  void expect_tag(std::string_view word) {
    expect(TokenType::block_begin, "'{%'");
    expect_name(word);
    end_tag();
  }

  std::unique_ptr<Stmt> parse_if() {
    auto stmt = make_stmt(StmtKind::if_);
    take();
    while (true) {
      stmt->expressions.push_back(parse_tuple());
      end_tag();
      stmt->bodies.push_back(parse_block({"elif", "else", "endif"}));
      expect(TokenType::block_begin, "'{%'");
      if (!take_name("elif")) break;
    }
    if (take_name("else")) {
      end_tag();
      stmt->bodies.push_back(parse_block({"endif"}));
      expect(TokenType::block_begin, "'{%'");
    }
    expect_name("endif");
    end_tag();
    return stmt;
  }

  std::unique_ptr<Stmt> parse_for() {
    auto stmt = make_stmt(StmtKind::for_);
    take();
    stmt->targets = parse_targets();
    expect_name("in");
    stmt->expressions.push_back(parse_tuple(/*with_conditional=*/false));
    stmt->expressions.push_back(take_name("if") ? parse_expression() : nullptr);
    stmt->recursive = take_name("recursive");
    end_tag();
    ++loop_depth_;
    stmt->bodies.push_back(parse_block({"else", "endfor"}));
    --loop_depth_;
    expect(TokenType::block_begin, "'{%'");
    if (take_name("else")) {
      end_tag();
      stmt->bodies.push_back(parse_block({"endfor"}));
      expect(TokenType::block_begin, "'{%'");
    }
    expect_name("endfor");
    end_tag();
    return stmt;
  }

  // a, b, c  or  (a, b)
  std::vector<std::string> parse_targets() {
    const bool in_parentheses = take_op("(");
    std::vector<std::string> targets;
    do {
      if (!targets.empty() && peek().type != TokenType::name) break;
      targets.push_back(take_identifier());
    } while (take_op(","));
    if (in_parentheses) expect_op(")");
    return targets;
  }

  std::unique_ptr<Stmt> parse_set() {
    auto stmt = make_stmt(StmtKind::set);
    take();
    stmt->targets = parse_targets();
    if (stmt->targets.size() == 1 && take_op(".")) stmt->targets[0] += "." + take_identifier();
    if (take_op("=")) {
      stmt->expressions.push_back(parse_tuple());
      end_tag();
      return stmt;
    }
    stmt->kind = StmtKind::set_block;
    stmt->expressions.push_back(is_op("|") ? parse_filters(make_filter_input()) : nullptr);
    end_tag();
    stmt->bodies.push_back(parse_block({"endset"}));
    expect_tag("endset");
    return stmt;
  }

  ExprPtr make_filter_input() const {
    auto input = make(ExprKind::name);
    input->text = kFilterInput;
    return input;
  }

  // (a, b=default)
  void parse_signature(Stmt& stmt) {
    expect_op("(");
    while (!is_op(")")) {
      if (!stmt.targets.empty()) expect_op(",");
      stmt.targets.push_back(take_identifier());
      if (take_op("="))
        stmt.expressions.push_back(parse_expression());
      else if (!stmt.expressions.empty())
        fail("a parameter without default follows one with a default");
    }
    take();
  }

  std::unique_ptr<Stmt> parse_macro() {
    auto stmt = make_stmt(StmtKind::macro);
    take();
    stmt->text = take_identifier();
    parse_signature(*stmt);
    end_tag();
    const int outer = std::exchange(loop_depth_, 0);
    stmt->bodies.push_back(parse_block({"endmacro"}));
    loop_depth_ = outer;
    expect_tag("endmacro");
    return stmt;
  }

  std::unique_ptr<Stmt> parse_call_block() {
    auto stmt = make_stmt(StmtKind::call_block);
    take();
    if (is_op("(")) parse_signature(*stmt);
    if (!stmt->expressions.empty()) fail("defaults of a call block are not supported");
    stmt->expressions.push_back(parse_expression());
    if (stmt->expressions[0]->kind != ExprKind::call) fail("a call block needs a call");
    end_tag();
    const int outer = std::exchange(loop_depth_, 0);
    stmt->bodies.push_back(parse_block({"endcall"}));
    loop_depth_ = outer;
    expect_tag("endcall");
    return stmt;
  }

  std::unique_ptr<Stmt> parse_filter_block() {
    auto stmt = make_stmt(StmtKind::filter_block);
    take();
    auto input = make_filter_input();
    stmt->expressions.push_back(parse_filters(parse_filter(std::move(input))));
    end_tag();
    stmt->bodies.push_back(parse_block({"endfilter"}));
    expect_tag("endfilter");
    return stmt;
  }

  // transformers marks what the assistant says; for the text it changes nothing.
  std::unique_ptr<Stmt> parse_generation() {
    auto stmt = make_stmt(StmtKind::body);
    take();
    end_tag();
    stmt->bodies.push_back(parse_block({"endgeneration"}));
    expect_tag("endgeneration");
    return stmt;
  }

  // Expressions, loosest binding first.

  ExprPtr parse_tuple(bool with_conditional = true) {
    auto first = with_conditional ? parse_expression() : parse_or();
    if (!is_op(",")) return first;
    auto tuple = make(ExprKind::tuple, std::move(first));
    while (take_op(",")) {
      if (!starts_expression()) break;
      tuple->children.push_back(with_conditional ? parse_expression() : parse_or());
    }
    return tuple;
  }
  bool starts_expression() const {
    if (peek().type == TokenType::op) return std::string_view("([{+-").find(peek().text) != std::string_view::npos;
    return peek().type != TokenType::block_end && peek().type != TokenType::output_end && peek().type != TokenType::end;
  }

  ExprPtr parse_expression() {
    const DepthGuard guard(*this);
    auto expr = parse_or();
    while (take_name("if")) {
      auto conditional = make(ExprKind::conditional, std::move(expr));
      conditional->children.push_back(parse_or());
      conditional->children.push_back(take_name("else") ? parse_expression() : nullptr);
      expr = std::move(conditional);
    }
    return expr;
  }

  ExprPtr parse_or() {
    auto left = parse_and();
    while (take_name("or")) {
      left = make(ExprKind::logical_or, std::move(left));
      left->children.push_back(parse_and());
    }
    return left;
  }
  ExprPtr parse_and() {
    auto left = parse_not();
    while (take_name("and")) {
      left = make(ExprKind::logical_and, std::move(left));
      left->children.push_back(parse_not());
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
      compare->children.push_back(parse_sum());
    }
    return compare ? std::move(compare) : std::move(left);
  }

  template <class Next>
  ExprPtr parse_binary(std::initializer_list<std::string_view> ops, const Next& next) {
    auto left = next();
    while (peek().type == TokenType::op && std::ranges::find(ops, peek().text) != ops.end()) {
      left = make(ExprKind::binary, std::move(left));
      left->text = take().text;
      left->children.push_back(next());
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
      expr = parse_postfix(parse_primary());
    }
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
        list->children.push_back(parse_expression());
      }
      take();
      return list;
    }
    if (take_op("{")) {
      auto dict = make(ExprKind::dict);
      while (!is_op("}")) {
        if (!dict->children.empty()) expect_op(",");
        if (is_op("}")) break;
        dict->children.push_back(parse_expression());
        expect_op(":");
        dict->children.push_back(parse_expression());
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
          expr->children.push_back(parse_primary());
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
    for (size_t idx = 0; idx < (n_colons > 0 ? 3U : 1U); ++idx) expr->children.push_back(std::move(bounds[idx]));
    return expr;
  }

  void parse_arguments(Expr& call) {
    expect_op("(");
    bool first = true;
    while (!is_op(")")) {
      if (!first) expect_op(",");
      if (is_op(")")) break;
      first = false;
      if (is_op("*") || is_op("**")) fail("unpacking of arguments is not supported");
      if (peek().type == TokenType::name && peek(1).type == TokenType::op && peek(1).text == "=") {
        call.names.push_back(take().text);
        take();
      } else if (!call.names.empty()) {
        fail("a positional argument follows a named one");
      }
      call.arguments.push_back(parse_expression());
    }
    take();
  }

  ExprPtr parse_filters(ExprPtr expr) {
    while (true) {
      if (take_op("|"))
        expr = parse_filter(std::move(expr));
      else if (take_name("is"))
        expr = parse_test(std::move(expr));
      else if (is_op("(")) {
        expr = make(ExprKind::call, std::move(expr));
        parse_arguments(*expr);
      } else
        return expr;
    }
  }
  ExprPtr parse_filter(ExprPtr input) {
    auto filter = make(ExprKind::filter, std::move(input));
    filter->text = take_identifier();
    if (is_op("(")) parse_arguments(*filter);
    return filter;
  }

  ExprPtr parse_test(ExprPtr subject) {
    const bool negated = take_name("not");
    auto test = make(ExprKind::test, std::move(subject));
    test->text = take_identifier();
    const Token& next = peek();
    const bool is_word = next.type == TokenType::name && next.text != "else" && next.text != "or" &&
                         next.text != "and" && next.text != "is" && next.text != "if" && next.text != "not" &&
                         next.text != "in" && next.text != "recursive";
    if (is_op("("))
      parse_arguments(*test);
    else if (is_word || next.type == TokenType::string || next.type == TokenType::integer ||
             next.type == TokenType::real || is_op("[") || is_op("{"))
      test->arguments.push_back(parse_postfix(parse_primary()));
    return negated ? make(ExprKind::negate, std::move(test)) : std::move(test);
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int loop_depth_ = 0;
};

}  // namespace

Block parse_template(std::string_view source) { return Parser(tokenize(source)).parse(); }

}  // namespace ogas::jinja
