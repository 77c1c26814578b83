#include "jinja/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <memory>

#include "jinja/check.h"
#include "jinja/expression_parser.h"

namespace ogas::jinja {
namespace {

class Parser : public ExpressionParser {
 public:
  explicit Parser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

  Block parse() {
    Block block = parse_block({});
    if (peek().type != TokenType::end) fail("unexpected end of a block");
    return block;
  }

 private:
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
    if (is_name("with")) return parse_with();
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
  // Before a body; an optional colon, as in Python.
  void begin_body() {
    take_op(":");
    end_tag();
  }
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
      stmt->expressions.push_back(parse_tuple(/*with_conditional=*/false));
      begin_body();
      stmt->bodies.push_back(parse_block({"elif", "else", "endif"}));
      expect(TokenType::block_begin, "'{%'");
      if (!take_name("elif")) break;
    }
    if (take_name("else")) {
      begin_body();
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
    stmt->target = parse_target();
    if (names_loop(stmt->target)) fail("'loop' cannot be the variable of a loop");
    expect_name("in");
    stmt->expressions.push_back(parse_tuple(/*with_conditional=*/false));
    stmt->expressions.push_back(take_name("if") ? parse_expression() : nullptr);
    stmt->recursive = take_name("recursive");
    begin_body();
    ++loop_depth_;
    stmt->bodies.push_back(parse_block({"else", "endfor"}));
    --loop_depth_;
    expect(TokenType::block_begin, "'{%'");
    if (take_name("else")) {
      begin_body();
      stmt->bodies.push_back(parse_block({"endfor"}));
      expect(TokenType::block_begin, "'{%'");
    }
    expect_name("endfor");
    end_tag();
    return stmt;
  }

  static bool names_loop(const Target& target) {
    return target.name == "loop" || std::ranges::any_of(target.parts, names_loop);
  }

  // a    a, b    a, (b, c)    ns.field
  Target parse_target() {
    std::vector<Target> parts;
    bool is_tuple = false;
    while (true) {
      if (is_tuple && ends_tuple()) break;
      parts.push_back(parse_one_target());
      if (!take_op(",")) break;
      is_tuple = true;
    }
    if (!is_tuple) return std::move(parts[0]);
    return {.name = {}, .field = {}, .parts = std::move(parts)};
  }
  Target parse_one_target() {
    const DepthGuard guard(*this);
    if (take_op("(")) {
      Target target = parse_target();
      expect_op(")");
      return target;
    }
    Target target{.name = take_identifier(), .field = {}, .parts = {}};
    constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
    if (std::ranges::find(kConstants, target.name) != std::end(kConstants))
      fail(fmt::format("'{}' cannot be assigned to", target.name));
    if (take_op(".")) target.field = take_identifier();
    return target;
  }

  std::unique_ptr<Stmt> parse_set() {
    auto stmt = make_stmt(StmtKind::set);
    take();
    stmt->target = parse_target();
    if (take_op("=")) {
      stmt->expressions.push_back(parse_tuple());
      end_tag();
      return stmt;
    }
    stmt->kind = StmtKind::set_block;
    stmt->expressions.push_back(is_op("|") ? parse_filters(make_filter_input()) : nullptr);
    begin_body();
    stmt->bodies.push_back(parse_block({"endset"}));
    expect_tag("endset");
    return stmt;
  }

  std::unique_ptr<Stmt> parse_with() {
    auto stmt = make_stmt(StmtKind::with);
    take();
    while (peek().type != TokenType::block_end) {
      if (!stmt->expressions.empty()) expect_op(",");
      stmt->target.parts.push_back(parse_one_target());
      expect_op("=");
      stmt->expressions.push_back(parse_expression());
    }
    begin_body();
    stmt->bodies.push_back(parse_block({"endwith"}));
    expect_tag("endwith");
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
      if (!stmt.names.empty()) expect_op(",");
      stmt.names.push_back(take_identifier());
      if (take_op("="))
        stmt.expressions.push_back(parse_expression());
      else if (!stmt.expressions.empty())
        fail("a parameter without default follows one with a default");
    }
    take();
  }

  // A body that is a function of its own: no break within it reaches a loop outside.
  Block parse_closed_block(std::string_view end) {
    const int outer = std::exchange(loop_depth_, 0);
    Block block = parse_block({end});
    loop_depth_ = outer;
    expect_tag(end);
    return block;
  }

  std::unique_ptr<Stmt> parse_macro() {
    auto stmt = make_stmt(StmtKind::macro);
    take();
    stmt->text = take_identifier();
    parse_signature(*stmt);
    begin_body();
    stmt->bodies.push_back(parse_closed_block("endmacro"));
    return stmt;
  }

  std::unique_ptr<Stmt> parse_call_block() {
    auto stmt = make_stmt(StmtKind::call_block);
    take();
    if (is_op("(")) parse_signature(*stmt);
    stmt->call = parse_expression();
    if (stmt->call->kind != ExprKind::call) fail("a call block needs a call");
    begin_body();
    stmt->bodies.push_back(parse_closed_block("endcall"));
    return stmt;
  }

  std::unique_ptr<Stmt> parse_filter_block() {
    auto stmt = make_stmt(StmtKind::filter_block);
    take();
    stmt->expressions.push_back(parse_filters(parse_filter(make_filter_input()), /*with_tests=*/false));
    begin_body();
    stmt->bodies.push_back(parse_block({"endfilter"}));
    expect_tag("endfilter");
    return stmt;
  }

  // transformers marks what the assistant says; for the text it changes nothing.
  std::unique_ptr<Stmt> parse_generation() {
    auto stmt = make_stmt(StmtKind::generation);
    take();
    begin_body();
    stmt->bodies.push_back(parse_closed_block("endgeneration"));
    return stmt;
  }

  int loop_depth_ = 0;
};

}  // namespace

Program parse_template(std::string_view source) {
  Program program{.body = Parser(tokenize(source)).parse(), .hidden = {}};
  check_names(program.body);
  find_hidden_names(program);
  return program;
}

}  // namespace ogas::jinja
