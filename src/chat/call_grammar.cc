#include "chat/call_grammar.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "chat/call_arguments.h"
#include "chat/json_scanner.h"

namespace ogas {
namespace {

namespace tree = grammar::tree;
using grammar::GrammarNode;
using grammar::GrammarTree;
using Json = nlohmann::ordered_json;
using Nodes = std::vector<GrammarNode>;
using Content = std::optional<GrammarTree::Schema>;
using Words = grammar::SchemaOptions::Words;

constexpr std::string_view kDigits = "0123456789", kLowerCase = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kAnyCase = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

GrammarNode one_of(std::string_view characters, uint32_t min, uint32_t max) {
  GrammarNode set{.kind = GrammarNode::Kind::set};
  for (const char c : characters) set.set.add(static_cast<unsigned char>(c), static_cast<unsigned char>(c));
  set.set.normalize();
  return tree::repeat(std::move(set), min, max);
}

GrammarNode nothing() { return tree::sequence({}); }

// White space around marks.
GrammarNode gap() { return one_of(" \t\r\n", 0, 4); }

// White space in the JSON around arguments: nothing, a space, or a new line with its indentation.
GrammarNode json_space() {
  return tree::optional(
      tree::alternatives({tree::literal(" "), tree::sequence({tree::literal("\n"), one_of(" ", 0, 8)})}));
}

GrammarNode spaced(std::initializer_list<std::string_view> parts) {
  Nodes nodes;
  for (const std::string_view part : parts) {
    nodes.push_back(tree::literal(part));
    nodes.push_back(json_space());
  }
  return tree::sequence(std::move(nodes));
}

std::string escaped_key(std::string_view key) {
  std::string result;
  for (const char c : key) result += c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return result;
}

class CallGrammar {
 public:
  CallGrammar(const OutputFormat& format, std::span<const std::string> controls, const CallRules& rules)
      : format_(format), controls_(controls), rules_(rules) {}

  Result<GrammarTree> make(const Content& content, AnswerBegin begin);

 private:
  GrammarNode mark(std::string_view text) const;
  uint32_t add_schema(GrammarTree::Schema schema);
  uint32_t schema_of(const CallableTool& tool, Words words = Words::json);

  GrammarNode json_object(const CallableTool& tool, bool may_have_type);
  GrammarNode named_object(const CallableTool& tool);
  GrammarNode named_json(const CallableTool& tool);
  GrammarNode fenced_json(const CallableTool& tool);
  GrammarNode brace_call(const CallableTool& tool);
  Result<GrammarNode> python_call(const CallableTool& tool);
  Result<GrammarNode> tagged_call(const CallableTool& tool);

  Result<Arguments> known_arguments(const CallableTool& tool) const;
  Result<GrammarNode> tagged_members(const CallableTool& tool);
  GrammarNode text_value(uint32_t schema, const std::string& pointer) const;
  GrammarNode argument(GrammarNode key, GrammarNode value, std::string_view type) const;
  GrammarNode any_argument();

  Result<GrammarNode> call(const CallableTool& tool);
  Result<GrammarNode> one_call();
  Result<GrammarNode> calls();
  bool is_list() const;
  // Whether calls begin with no mark of their own.
  bool is_bare() const;
  GrammarNode separator() const;
  GrammarNode text_without_calls() const;
  GrammarNode bare_text() const;
  GrammarNode with_marks_of_text(GrammarNode text) const;
  Result<GrammarNode> with_tags(const Content& content, AnswerBegin begin);
  Result<GrammarNode> with_channels(const Content& content, AnswerBegin begin);
  GrammarNode channel_call(const CallableTool& tool);

  const OutputFormat& format_;
  std::span<const std::string> controls_;
  const CallRules& rules_;
  GrammarTree tree_;
};

// A mark may hold control tokens, and text between them.
GrammarNode CallGrammar::mark(std::string_view text) const {
  Nodes nodes;
  while (!text.empty()) {
    size_t first = text.size(), control = controls_.size();
    for (size_t idx = 0; idx < controls_.size(); ++idx)
      if (const size_t at = text.find(controls_[idx]); at < first) {
        first = at;
        control = idx;
      }
    if (first > 0) nodes.push_back(tree::literal(text.substr(0, first)));
    text.remove_prefix(first);
    if (control == controls_.size()) continue;
    nodes.push_back(tree::control(static_cast<uint32_t>(control)));
    text.remove_prefix(controls_[control].size());
  }
  return tree::sequence(std::move(nodes));
}

uint32_t CallGrammar::add_schema(GrammarTree::Schema schema) {
  tree_.schemas.push_back(std::move(schema));
  return static_cast<uint32_t>(tree_.schemas.size() - 1);
}

uint32_t CallGrammar::schema_of(const CallableTool& tool, Words words) {
  return add_schema({.text = arguments_schema(tool.schema),
                     .options = {.keeps_order = tool.is_strict, .plain_integers = true, .words = words},
                     .name = tool.name,
                     .may_loosen = !tool.is_strict});
}

// {"name": "f", "arguments": {...}}
GrammarNode CallGrammar::json_object(const CallableTool& tool, bool may_have_type) {
  const bool has_id = format_.name_key == "tool_name";
  const GrammarNode before = may_have_type ? tree::optional(spaced({"\"type\":", "\"function\","}))
                             : has_id
                                 ? tree::optional(tree::sequence({spaced({"\"tool_call_id\":"}), tree::literal("\""),
                                                                  one_of(kDigits, 1, 4), spaced({"\","})}))
                                 : nothing();
  const GrammarNode id = tree::sequence({tree::literal(","), json_space(), spaced({"\"id\":"}), tree::literal("\""),
                                         one_of(kAnyCase, 9, 9), tree::literal("\"")});
  const bool may_have_id = format_.call_syntax == CallSyntax::json_list && !has_id;
  return tree::sequence({spaced({"{"}), before,
                         spaced({quoted_json(format_.name_key) + ":", quoted_json(tool.name) + ",",
                                 quoted_json(format_.arguments_key) + ":"}),
                         tree::json(schema_of(tool)), may_have_id ? tree::optional(id) : nothing(), json_space(),
                         tree::literal("}")});
}

// {"f": {...}}
GrammarNode CallGrammar::named_object(const CallableTool& tool) {
  return tree::sequence(
      {spaced({"{", quoted_json(tool.name) + ":"}), tree::json(schema_of(tool)), json_space(), tree::literal("}")});
}

// A name, perhaps with an id before or after it, and the arguments.
GrammarNode CallGrammar::named_json(const CallableTool& tool) {
  const bool is_number = format_.id_begin == ":",
             has_id_before = format_.id_begin.empty() && !format_.name_begin.empty();
  const GrammarNode before = has_id_before ? one_of(kLowerCase, 9, 10) : nothing();
  const GrammarNode id = is_number ? one_of(kDigits, 1, 4) : one_of(kAnyCase, 9, 9);
  const GrammarNode after = format_.id_begin.empty() ? nothing() : tree::sequence({mark(format_.id_begin), id});
  return tree::sequence({mark(format_.call_begin), before, mark(format_.name_begin), tree::literal(tool.name), after,
                         mark(format_.call_separator), tree::json(schema_of(tool)), mark(format_.call_end)});
}

GrammarNode CallGrammar::fenced_json(const CallableTool& tool) {
  return tree::sequence({mark(format_.call_begin), tree::literal("function"), mark(format_.call_separator),
                         tree::literal(tool.name + "\n```json\n"), tree::json(schema_of(tool)), tree::literal("\n```"),
                         mark(format_.call_end)});
}

// The arguments of formats that write each by itself. Errors: unsupported (a strict tool has others, or says more).
Result<Arguments> CallGrammar::known_arguments(const CallableTool& tool) const {
  constexpr size_t kMaxArguments = 256;
  Arguments arguments = arguments_of(tool.schema);
  if (tool.is_strict && !arguments.not_enforced.empty())
    return fail(
        ErrorCode::unsupported,
        "the function '{}': '{}' of all parameters cannot be enforced in this model's format, which writes each "
        "by itself",
        tool.name, arguments.not_enforced);
  arguments.are_listed = arguments.are_listed && arguments.names.size() <= kMaxArguments;
  if (tool.is_strict && !arguments.are_listed && !tool.schema.empty())
    return fail(ErrorCode::unsupported, "the function '{}': its schema lists no parameters, or more than {}", tool.name,
                kMaxArguments);
  return arguments;
}

// call:f{key:value,key:value}
GrammarNode CallGrammar::brace_call(const CallableTool& tool) {
  const uint32_t schema = schema_of(tool, Words::json_with_none);
  tree_.schemas[schema].options.has_spaces = false;
  GrammarNode arguments = tree::json(schema);
  arguments.children = {mark(format_.string_mark)};
  arguments.marks = tree::free_text({format_.string_mark}).marks;
  return tree::sequence(
      {mark(format_.call_begin), tree::literal("call:" + tool.name), std::move(arguments), mark(format_.call_end)});
}

// f(key=value, key=value)
Result<GrammarNode> CallGrammar::python_call(const CallableTool& tool) {
  const Arguments arguments = OGAS_TRY(known_arguments(tool));
  const uint32_t schema = schema_of(tool, Words::python);
  GrammarNode members{
      .kind = GrammarNode::Kind::members, .text = U", ", .index = 0, .children = {}, .required = arguments.required};
  for (const std::string& name : arguments.names)
    members.children.push_back(tree::sequence({tree::literal(name + "="), tree::json(schema, pointer_to(name))}));
  return tree::sequence({tree::literal(tool.name + "("), std::move(members), tree::literal(")")});
}

// A string as it is.
GrammarNode CallGrammar::text_value(uint32_t schema, const std::string& pointer) const {
  const CallTags& tags = format_.tags;
  if (tags.raw_begin.empty()) return tree::raw_string(schema, pointer, {tags.value_end});
  const GrammarNode raw =
      tree::sequence({mark(tags.raw_begin), tree::raw_string(schema, pointer, {tags.raw_end}), mark(tags.raw_end)});
  return tree::alternatives({tree::raw_string(schema, pointer, {"<", "&", "\n"}), raw});
}

// One argument with its tags. type: what may be between key and value.
GrammarNode CallGrammar::argument(GrammarNode key, GrammarNode value, std::string_view type) const {
  const CallTags& tags = format_.tags;
  const GrammarNode line = tree::literal(format_.values_on_lines ? "\n" : "");
  const bool has_gap = format_.call_syntax == CallSyntax::argument_tags;
  return tree::sequence({mark(tags.argument_begin), std::move(key), mark(tags.key_end), tree::literal(type),
                         has_gap ? gap() : nothing(), mark(tags.value_begin), line, std::move(value), line,
                         mark(tags.value_end), gap()});
}

// An argument of any name with any text.
GrammarNode CallGrammar::any_argument() {
  const uint32_t any = add_schema({.text = R"({"type": "string"})"});
  GrammarNode character{.kind = GrammarNode::Kind::set,
                        .set = grammar::CodePoints{{'<', '<'}, {'>', '>'}, {'\n', '\n'}, {'"', '"'}, {'&', '&'}}};
  character.set = character.set.complement();
  using Types = CallTags::Types;
  const std::string_view type = format_.tags.types == Types::json        ? "string"
                                : format_.tags.types == Types::is_string ? "true"
                                                                         : "";
  return argument(tree::repeat(std::move(character), 1, 128), text_value(any, ""), type);
}

// Strings are written as they are, all else as JSON, or with the words of Python.
Result<GrammarNode> CallGrammar::tagged_members(const CallableTool& tool) {
  constexpr uint32_t kMaxAny = 256;
  const Arguments arguments = OGAS_TRY(known_arguments(tool));
  if (!arguments.are_listed) return tree::sequence({gap(), tree::repeat(any_argument(), 0, kMaxAny)});
  const uint32_t schema = schema_of(tool), in_python = schema_of(tool, Words::python);
  const auto json = [&](uint32_t index, const std::string& pointer) {
    GrammarNode node = tree::json(index, pointer);
    node.has_strings = false;
    return node;
  };
  GrammarNode members{.kind = GrammarNode::Kind::members, .required = arguments.required};
  for (const std::string& name : arguments.names) {
    const std::string pointer = pointer_to(name);
    const GrammarNode key = tree::literal(format_.tags.escapes_keys ? escaped_key(name) : name);
    const GrammarNode text = text_value(schema, pointer);
    const GrammarNode other = tree::alternatives({json(schema, pointer), json(in_python, pointer)});
    Nodes forms;
    switch (format_.tags.types) {
      case CallTags::Types::none: forms = {argument(key, tree::alternatives({text, other}), "")}; break;
      case CallTags::Types::is_string: forms = {argument(key, text, "true"), argument(key, other, "false")}; break;
      case CallTags::Types::json:
        forms = {argument(key, text, "string")};
        for (const char* type : {"number", "boolean", "null", "object", "array"})
          forms.push_back(argument(key, other, type));
    }
    members.children.push_back(tree::alternatives(std::move(forms)));
  }
  return tree::sequence({gap(), std::move(members)});
}

// From the name to the end of the call.
Result<GrammarNode> CallGrammar::tagged_call(const CallableTool& tool) {
  const CallTags& tags = format_.tags;
  const GrammarNode number =
      tags.head_end.empty() ? nothing() : tree::sequence({one_of(kDigits, 1, 4), mark(tags.head_end)});
  const std::string name = tags.escapes_keys ? escaped_key(tool.name) : tool.name;
  return tree::sequence({mark(tags.name_begin), tree::literal(name), mark(tags.name_end), number,
                         OGAS_TRY(tagged_members(tool)), mark(tags.call_end)});
}

Result<GrammarNode> CallGrammar::call(const CallableTool& tool) {
  const GrammarNode begin = mark(format_.call_begin), end = mark(format_.call_end);
  switch (format_.call_syntax) {
    case CallSyntax::json: return tree::sequence({begin, gap(), json_object(tool, false), gap(), end});
    case CallSyntax::bare_json: return tree::sequence({tree::optional(begin), json_object(tool, true)});
    case CallSyntax::json_list: return json_object(tool, false);
    case CallSyntax::json_by_name: return named_object(tool);
    case CallSyntax::function_tags: {
      const GrammarNode function = OGAS_TRY(tagged_call(tool));
      // Some leave out the outer marks.
      return tree::alternatives({tree::sequence({begin, gap(), function, gap(), end}), function});
    }
    case CallSyntax::argument_tags: return tree::sequence({begin, gap(), OGAS_TRY(tagged_call(tool))});
    case CallSyntax::attribute_tags: return tagged_call(tool);
    case CallSyntax::call_tokens: return format_.fences_arguments ? fenced_json(tool) : named_json(tool);
    case CallSyntax::python_calls: return python_call(tool);
    case CallSyntax::brace_calls: return brace_call(tool);
    default: break;
  }
  return fail(ErrorCode::unsupported, "this model's chat template shows no calls of tools");
}

Result<GrammarNode> CallGrammar::one_call() {
  Nodes nodes;
  for (const CallableTool& tool : rules_.tools) nodes.push_back(OGAS_TRY(call(tool)));
  return tree::alternatives(std::move(nodes));
}

bool CallGrammar::is_list() const {
  return format_.call_syntax == CallSyntax::json_list || format_.call_syntax == CallSyntax::json_by_name ||
         format_.call_syntax == CallSyntax::python_calls;
}

bool CallGrammar::is_bare() const {
  return format_.call_syntax == CallSyntax::bare_json ||
         (format_.call_syntax == CallSyntax::python_calls && format_.calls_begin.empty());
}

GrammarNode CallGrammar::separator() const {
  const std::string_view text = is_list() ? "," : format_.call_syntax == CallSyntax::bare_json ? ";" : "";
  return tree::sequence({tree::literal(text), is_list() ? json_space() : gap()});
}

// One call or, where several may come, more, each after the one before.
Result<GrammarNode> CallGrammar::calls() {
  const GrammarNode one = OGAS_TRY(one_call());
  Nodes nodes = {one};
  const uint32_t n_more = rules_.max_calls == UINT32_MAX ? UINT32_MAX : rules_.max_calls - 1;
  if (n_more > 0) nodes.push_back(tree::repeat(tree::sequence({separator(), one}), 0, n_more));
  if (is_list()) {
    nodes.insert(nodes.begin(), {tree::literal("["), json_space()});
    nodes.insert(nodes.end(), {json_space(), tree::literal("]")});
  }
  if (is_bare() && is_list()) {  // perhaps between marks
    const GrammarNode list = tree::sequence(std::move(nodes));
    return tree::alternatives({list, tree::sequence({mark(format_.call_begin), list, mark(format_.call_end)})});
  }
  if (!format_.calls_begin.empty()) {
    nodes.insert(nodes.begin(), {mark(format_.calls_begin), gap()});
    nodes.insert(nodes.end(), {gap(), mark(format_.calls_end)});
  }
  return tree::sequence(std::move(nodes));
}

GrammarNode CallGrammar::text_without_calls() const {
  std::vector<std::string> marks;
  for (const std::string& mark : {format_.calls_begin, format_.call_begin, format_.tags.name_begin})
    if (!mark.empty()) marks.push_back(mark);
  return tree::free_text(marks);
}

// Text that does not begin as a call does.
GrammarNode CallGrammar::bare_text() const {
  Nodes names;
  const bool is_python = is_list();
  for (const CallableTool& tool : rules_.tools)
    names.push_back(tree::literal(is_python ? tool.name + "(" : quoted_json(tool.name)));
  const GrammarNode head = is_python
                               ? tree::literal("[")
                               : tree::sequence({spaced({"{"}), tree::optional(spaced({"\"type\":", "\"function\","})),
                                                 spaced({"\"name\":"})});
  GrammarNode node{.kind = GrammarNode::Kind::not_beginning};
  node.children = {tree::sequence(
      {gap(), tree::optional(tree::literal(format_.call_begin)), gap(), head, tree::alternatives(std::move(names))})};
  return node;
}

// Marks that may be before and after text, and say nothing to the reader; where reasoning is not apart, its marks, too.
GrammarNode CallGrammar::with_marks_of_text(GrammarNode text) const {
  Nodes marks;
  for (const std::string& each :
       {format_.message_begin, format_.message_end, format_.response_begin, format_.response_end})
    if (!each.empty()) marks.push_back(mark(each));
  if (format_.calls_end_reasoning) marks.insert(marks.end(), {mark(format_.think_begin), mark(format_.think_end)});
  if (marks.empty()) return text;
  const GrammarNode some = tree::repeat(tree::sequence({gap(), tree::alternatives(std::move(marks))}), 0, 3);
  return tree::sequence({some, std::move(text), some});
}

Result<GrammarNode> CallGrammar::with_tags(const Content& content, AnswerBegin begin) {
  const GrammarNode calls = OGAS_TRY(this->calls());
  const GrammarNode only_calls = with_marks_of_text(tree::sequence({gap(), calls, gap()}));
  const GrammarNode text = with_marks_of_text(text_without_calls());
  // Reasoning that calls may end is text of the grammar.
  const bool thinks = format_.calls_end_reasoning;
  const GrammarNode thought = thinks ? tree::sequence({tree::optional(mark(format_.think_begin)), text}) : nothing();
  if (rules_.is_required) return tree::sequence({thought, only_calls});
  if (content)
    return tree::sequence({begin == AnswerBegin::reasoning ? thought : nothing(),
                           tree::alternatives({with_marks_of_text(tree::json(add_schema(*content))), only_calls})});
  if (is_bare()) return tree::alternatives({bare_text(), only_calls});
  if (rules_.max_calls != UINT32_MAX) return tree::sequence({text, tree::optional(only_calls)});
  return tree::sequence({text, tree::repeat(tree::sequence({calls, text}), 0, UINT32_MAX)});
}

// The recipient is in the header, before the channel or after it.
GrammarNode CallGrammar::channel_call(const CallableTool& tool) {
  using Marks = ChannelMarks;
  const GrammarNode recipient = tree::literal("to=" + std::string(Marks::kNamespace) + tool.name);
  const GrammarNode channel = tree::sequence(
      {mark(Marks::kChannel), tree::alternatives({tree::literal("commentary"), tree::literal("analysis")})});
  const GrammarNode space = tree::optional(tree::literal(" "));
  const GrammarNode type = tree::sequence(
      {space, tree::optional(mark(Marks::kConstrain)), tree::optional(tree::literal("json")), mark(Marks::kMessage)});
  return tree::sequence({tree::alternatives({tree::sequence({channel, space, recipient, type}),
                                             tree::sequence({space, recipient, channel, type})}),
                         tree::json(schema_of(tool))});
}

Result<GrammarNode> CallGrammar::with_channels(const Content& content, AnswerBegin begin) {
  using Marks = ChannelMarks;
  const GrammarNode text = tree::free_text(marks_of(format_));
  const GrammarNode next = tree::sequence({mark(Marks::kEnd), mark(Marks::kStart), tree::literal("assistant")});
  const auto message = [&](std::string_view channel, GrammarNode body) {
    return tree::sequence({mark(Marks::kChannel), tree::literal(channel), mark(Marks::kMessage), std::move(body)});
  };
  const GrammarNode final_text = content ? tree::json(add_schema(*content)) : text;
  Nodes last;
  for (const CallableTool& tool : rules_.tools) last.push_back(channel_call(tool));
  if (!rules_.is_required) last.push_back(message("final", final_text));
  const GrammarNode before =
      tree::sequence({tree::alternatives({message("analysis", text), message("commentary", text)}), next});
  const GrammarNode answer = tree::sequence({tree::repeat(before, 0, UINT32_MAX), tree::alternatives(std::move(last))});
  if (begin == AnswerBegin::message) return answer;
  if (begin == AnswerBegin::reasoning) return tree::sequence({text, next, answer});
  return final_text;
}

Result<GrammarTree> CallGrammar::make(const Content& content, AnswerBegin begin) {
  GrammarNode root = OGAS_TRY(format_.channels ? with_channels(content, begin) : with_tags(content, begin));
  tree_.rules.push_back({.name = "root", .body = std::move(root), .is_defined = true});
  return std::move(tree_);
}

}  // namespace

bool has_call_grammar(const OutputFormat& format) {
  if (format.channels) return true;
  return format.call_syntax != CallSyntax::none && format.call_syntax != CallSyntax::nested_tags;
}

std::vector<CallableTool> callable_tools(const Json& tools) {
  std::vector<CallableTool> result;
  if (!tools.is_array()) return result;
  for (const Json& tool : tools) {
    const Json function = tool.is_object() ? tool.value("function", Json()) : Json();
    const Json name = function.is_object() ? function.value("name", Json()) : Json();
    if (!name.is_string() || name == "") continue;
    const Json parameters = function.value("parameters", Json());
    result.push_back(
        {.name = name.get<std::string>(),
         .schema = parameters.is_null() ? "" : parameters.dump(-1, ' ', false, Json::error_handler_t::replace),
         .is_strict = function.value("strict", Json()) == true});
  }
  return result;
}

Result<GrammarTree> make_call_grammar(const OutputFormat& format, std::span<const std::string> controls,
                                      const CallRules& rules, const Content& content, AnswerBegin begin) {
  return CallGrammar(format, controls, rules).make(content, begin);
}

}  // namespace ogas
