// A parsed template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/value.h"

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
  ExprKind kind = ExprKind::literal;
  size_t line = 0;
  int height = 0;  // of the tree below
  std::string text;
  Value value;
  std::vector<ExprPtr> children;
  std::vector<ExprPtr> arguments;  // positional, then one for each of names
  std::vector<std::string> names;  // of named arguments ("*" and "**": to unpack); of operators in a comparison
};

// What is assigned to: a name, a field of a namespace, or several of these.
struct Target {
  std::string name;
  std::string field;  // of the namespace `name`; else empty
  std::vector<Target> parts;
};

struct Stmt;
using Block = std::vector<std::unique_ptr<Stmt>>;

enum class StmtKind {
  text,    // text
  output,  // expressions[0]
  if_,     // expressions[i] guards bodies[i]; one more body is the else
  for_,    // target in expressions[0], filtered by expressions[1] (may be null); bodies[0], and bodies[1] is the else
  set,     // target = expressions[0]
  set_block,     // target = what bodies[0] prints, through the filters of expressions[0] (may be null)
  macro,         // text(names), the last expressions.size() of them with defaults; bodies[0]
  call_block,    // call, with bodies[0] as its caller(names), defaults as of a macro
  filter_block,  // bodies[0] through expressions[0]
  with,          // bodies[0] with target.parts[i] = expressions[i]
  generation,    // bodies[0] as it is, in a scope of its own ({% generation %})
  break_,
  continue_,
};

struct Stmt {
  StmtKind kind;
  size_t line;
  std::string text = {};
  Target target = {};
  std::vector<std::string> names = {};
  std::vector<ExprPtr> expressions = {};
  ExprPtr call = nullptr;
  std::vector<Block> bodies = {};
  // Names that are undefined at the start of bodies[0] (and of the else) whatever they are outside (check.h).
  std::vector<std::string> hidden = {}, hidden_else = {};
  bool recursive = false;   // of a for loop
  bool reads_loop = false;  // of a for loop: its body reads `loop`
  // Of a macro: it takes more than its parameters if its body reads these names.
  bool takes_caller = false, takes_varargs = false, takes_kwargs = false;
};

// A whole template.
struct Program {
  Block body;
  std::vector<std::string> hidden;
};

// A placeholder that a chain of filters is applied to where there is no expression before it.
inline constexpr const char* kFilterInput = "(filter input)";

}  // namespace ogas::jinja
