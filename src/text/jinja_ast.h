// A parsed template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace ogas::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class ExprKind {
  literal,      // value
  name,         // text
  list,         // children
  tuple,        // children
  dict,         // children: key, value, key, value ...
  attribute,    // children[0] . text
  item,         // children[0] [ children[1] ]
  slice,        // children[0] [ children[1] : children[2] : children[3] ], each of the three may be null
  call,         // children[0] ( arguments )
  filter,       // children[0] | text ( arguments )
  test,         // children[0] is text ( arguments )
  negate,       // not children[0]
  unary,        // text children[0]
  binary,       // children[0] text children[1]
  compare,      // children[0] op children[1] op children[2] ...; operators in names
  logical_and,  // children[0] and children[1]
  logical_or,
  conditional,  // children[0] if children[1] else children[2] (may be null)
};

struct Expr {
  ExprKind kind;
  size_t line;
  std::string text;
  Value value;
  std::vector<ExprPtr> children;
  std::vector<ExprPtr> arguments;  // positional, then one for each of names
  std::vector<std::string> names;  // of named arguments; of operators in a comparison
};

struct Stmt;
using Block = std::vector<std::unique_ptr<Stmt>>;

enum class StmtKind {
  text,    // text
  output,  // expressions[0]
  if_,     // expressions[i] guards bodies[i]; one more body is the else
  for_,    // targets in expressions[0], filtered by expressions[1] (may be null); bodies[0], and bodies[1] is the else
  set,     // targets = expressions[0]
  set_block,     // targets[0] = what bodies[0] prints, through the filters of expressions[0] (may be null)
  macro,         // text(targets), the last expressions.size() of them with defaults; bodies[0]
  call_block,    // expressions[0], a call; bodies[0] is its caller(targets)
  filter_block,  // bodies[0] through expressions[0]
  body,          // bodies[0] as it is ({% generation %})
  break_,
  continue_,
};

struct Stmt {
  StmtKind kind;
  size_t line;
  std::string text;
  std::vector<std::string> targets;  // "ns.field" for an attribute of a namespace
  std::vector<ExprPtr> expressions;
  std::vector<Block> bodies;
  bool recursive = false;  // of a for loop
};

// A placeholder that a chain of filters is applied to where there is no expression before it.
inline constexpr const char* kFilterInput = "(filter input)";

}  // namespace ogas::jinja
