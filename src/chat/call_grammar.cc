#include "chat/call_grammar.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "chat/json_scanner.h"

namespace ogas {
namespace {

namespace tree = grammar::tree;
using grammar::GrammarNode;
using grammar::GrammarTree;
using Json = nlohmann::ordered_json;
using Nodes = std::vector<GrammarNode>;

constexpr std::string_view kAnyArguments = R"({"type": "object"})", kAnyString = R"({"type": "string"})";

GrammarNode one_of(std::string_view characters, uint32_t min, uint32_t max) {
  GrammarNode set{.kind = GrammarNode::Kind::set};
  for (const char c : characters) set.set.add(static_cast<unsigned char>(c), static_cast<unsigned char>(c));
  set.set.normalize();
  return tree::repeat(std::move(set), min, max);
}

// White space around marks.
GrammarNode gap() { return one_of(" \t\r\n", 0, 4); }

// White space within the JSON around arguments.
GrammarNode json_space() { return one_of(" \n", 0, 1); }

GrammarNode spaced(std::initializer_list<std::string_view> parts) {
  Nodes nodes;
  for (const std::string_view part : parts) {
    nodes.push_back(tree::literal(part));
    nodes.push_back(json_space());
  }
  return tree::sequence(std::move(nodes));
}

// What a schema says of single arguments, for formats that write each by itself.
struct Arguments {
  std::vector<std::string> names = {};
  std::vector<bool> required = {};
  bool are_listed = false;        // no others may come
  std::string not_enforced = {};  // a keyword that speaks of several at once
};

bool is_annotation(std::string_view keyword) {
  constexpr std::string_view kAnnotations[] = {"$schema", "$id",     "$comment", "$defs",       "definitions", "title",
                                               "default", "example", "examples", "description", "deprecated"};
  return keyword.starts_with("x-") || std::ranges::find(kAnnotations, keyword) != std::end(kAnnotations);
}

Arguments arguments_of(const std::string& schema_text) {
  Arguments result;
  const Json schema = Json::parse(schema_text, nullptr, /*allow_exceptions=*/false);
  if (!schema.is_object()) return result;
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword == "properties" && value.is_object()) {
      result.are_listed = true;
      for (const auto& [name, unused] : value.items()) result.names.push_back(name);
    } else if (keyword != "type" && keyword != "required" && keyword != "additionalProperties" &&
               !is_annotation(keyword)) {
      result.not_enforced = keyword;
    }
  }
  if (schema.value("additionalProperties", Json()) == false) result.are_listed = true;
  result.required.resize(result.names.size());
  const Json required = schema.value("required", Json::array());
  if (!required.is_array()) return result;
  for (const Json& name : required) {
    const auto found = std::ranges::find(result.names, name.is_string() ? name.get<std::string>() : "");
    if (found != result.names.end())
      result.required[static_cast<size_t>(found - result.names.begin())] = true;
    else
      result.not_enforced = "required";
  }
  return result;
}

std::string pointer_to(std::string_view property) {
  std::string pointer = "/properties/";
  for (const char c : property) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return pointer;
}

bool has_any(const Json& schema, std::initializer_list<const char*> keywords) {
  return std::ranges::any_of(keywords, [&](const char* keyword) { return schema.contains(keyword); });
}

// An object that lists its properties gets no others, unless its schema speaks of others: what models make up is of no
// use to a tool, and small models would never come to an end. has_bases: whether schemas are put together by allOf, so
// that one of them does not list all.
void close_objects(Json& schema, bool has_bases) {
  if (!schema.is_object()) return;
  const bool is_combined =
      has_any(schema, {"allOf", "anyOf", "oneOf", "if", "$ref", "dependentSchemas", "dependencies"});
  if (schema.contains("properties") && !is_combined &&
      !has_any(schema, {"additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames",
                        "minProperties"}))
    schema["additionalProperties"] = false;
  for (const char* keyword : {"properties", "$defs", "definitions"})
    if (schema.contains(keyword) && schema[keyword].is_object() && !(has_bases && keyword[0] != 'p'))
      for (Json& each : schema[keyword]) close_objects(each, has_bases);
  for (const char* keyword : {"anyOf", "oneOf", "prefixItems"})
    if (schema.contains(keyword) && schema[keyword].is_array() && !schema.contains("properties"))
      for (Json& each : schema[keyword]) close_objects(each, has_bases);
  for (const char* keyword : {"items", "additionalProperties"})
    if (schema.contains(keyword)) close_objects(schema[keyword], has_bases);
}

// Arguments are an object, whatever their schema says beyond it.
std::string arguments_schema(const std::string& schema_text) {
  if (schema_text.empty()) return std::string(kAnyArguments);
  Json schema = Json::parse(schema_text, nullptr, /*allow_exceptions=*/false);
  if (schema == true) return std::string(kAnyArguments);
  if (!schema.is_object()) return schema_text;
  schema["type"] = "object";
  close_objects(schema, /*has_bases=*/schema_text.contains("\"allOf\""));
  return schema.dump();
}

class CallGrammar {
 public:
  CallGrammar(const OutputFormat& format, std::span<const std::string> controls, const CallRules& rules)
      : format_(format), controls_(controls), rules_(rules) {}

  Result<GrammarTree> make(const std::optional<GrammarTree::Schema>& content, AnswerBegin begin);

 private:
  GrammarNode mark(std::string_view text) const;
  uint32_t add_schema(GrammarTree::Schema schema);
  uint32_t schema_of(const CallableTool& tool);
  GrammarNode json_object(const CallableTool& tool, bool may_have_type);
  GrammarNode named_json(const CallableTool& tool);
  Result<GrammarNode> tagged_members(const CallableTool& tool);
  GrammarNode argument(GrammarNode key, GrammarNode value) const;
  GrammarNode any_argument();
  Result<GrammarNode> call(const CallableTool& tool);
  Result<GrammarNode> one_call();
  Result<GrammarNode> calls();
  GrammarNode text_without_calls() const;
  GrammarNode bare_text() const;
  Result<GrammarNode> with_tags(const std::optional<GrammarTree::Schema>& content);
  Result<GrammarNode> with_channels(const std::optional<GrammarTree::Schema>& content, AnswerBegin begin);
  GrammarNode channel_call(const CallableTool& tool);
  bool has_function_tags() const { return format_.call_syntax == CallSyntax::function_tags; }

  const OutputFormat& format_;
  std::span<const std::string> controls_;
  const CallRules& rules_;
  GrammarTree tree_;
};

GrammarNode CallGrammar::mark(std::string_view text) const {
  const auto found = std::ranges::find(controls_, text);
  return found == controls_.end() ? tree::literal(text)
                                  : tree::control(static_cast<uint32_t>(found - controls_.begin()));
}

uint32_t CallGrammar::add_schema(GrammarTree::Schema schema) {
  tree_.schemas.push_back(std::move(schema));
  return static_cast<uint32_t>(tree_.schemas.size() - 1);
}

uint32_t CallGrammar::schema_of(const CallableTool& tool) {
  return add_schema({.text = arguments_schema(tool.schema),
                     .options = {.keeps_order = tool.is_strict, .plain_integers = true},
                     .name = tool.name,
                     .may_loosen = !tool.is_strict});
}

// {"name": "f", "arguments": {...}}
GrammarNode CallGrammar::json_object(const CallableTool& tool, bool may_have_type) {
  const GrammarNode type = tree::optional(spaced({"\"type\":", "\"function\","}));
  return tree::sequence({spaced({"{"}), may_have_type ? type : tree::sequence({}),
                         spaced({"\"name\":", quoted_json(tool.name) + ",", quoted_json(format_.arguments_key) + ":"}),
                         tree::json(schema_of(tool)), json_space(), tree::literal("}")});
}

// A name, perhaps with an id, and the arguments.
GrammarNode CallGrammar::named_json(const CallableTool& tool) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::string_view kAll = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  Nodes nodes = {mark(format_.call_begin), mark(format_.name_begin), tree::literal(tool.name)};
  if (!format_.id_begin.empty()) {
    const bool is_number = format_.id_begin == ":";
    nodes.push_back(mark(format_.id_begin));
    nodes.push_back(is_number ? one_of(kDigits, 1, 4) : one_of(kAll, 9, 9));
  }
  nodes.insert(nodes.end(), {mark(format_.call_separator), tree::json(schema_of(tool)), mark(format_.call_end)});
  return tree::sequence(std::move(nodes));
}

// One argument with its tags.
GrammarNode CallGrammar::argument(GrammarNode key, GrammarNode value) const {
  const GrammarNode line = tree::literal(format_.values_on_lines ? "\n" : "");
  if (has_function_tags())
    return tree::sequence({tree::literal("<parameter="), std::move(key), tree::literal(">"), line, std::move(value),
                           line, tree::literal("</parameter>"), gap()});
  return tree::sequence({tree::literal("<arg_key>"), std::move(key), tree::literal("</arg_key>"), gap(),
                         tree::literal("<arg_value>"), std::move(value), tree::literal("</arg_value>"), gap()});
}

std::string end_of_value(const OutputFormat& format) {
  return format.call_syntax == CallSyntax::function_tags ? "</parameter>" : "</arg_value>";
}

// An argument of any name with any text.
GrammarNode CallGrammar::any_argument() {
  const uint32_t any = add_schema({.text = std::string(kAnyString)});
  GrammarNode character{.kind = GrammarNode::Kind::set,
                        .set = grammar::CodePoints{{'<', '<'}, {'>', '>'}, {'\n', '\n'}}};
  character.set = character.set.complement();
  return argument(tree::repeat(std::move(character), 1, 128), tree::raw_string(any, "", {end_of_value(format_)}));
}

// Strings are written as they are, all else as JSON.
Result<GrammarNode> CallGrammar::tagged_members(const CallableTool& tool) {
  constexpr size_t kMaxArguments = 256;
  const Arguments arguments = arguments_of(tool.schema);
  const bool is_known = arguments.names.size() <= kMaxArguments && arguments.are_listed;
  if (tool.is_strict && !arguments.not_enforced.empty())
    return fail(ErrorCode::unsupported,
                "the function '{}': '{}' of all parameters cannot be enforced in this model's "
                "format, which writes each by itself",
                tool.name, arguments.not_enforced);
  if (tool.is_strict && !is_known && !tool.schema.empty())
    return fail(ErrorCode::unsupported, "the function '{}': its schema lists no parameters, or more than {}", tool.name,
                kMaxArguments);
  if (!is_known) return tree::sequence({gap(), tree::repeat(any_argument(), 0, kMaxArguments)});
  const uint32_t schema = schema_of(tool);
  GrammarNode members{.kind = GrammarNode::Kind::members, .required = arguments.required};
  for (const std::string& name : arguments.names) {
    GrammarNode as_json = tree::json(schema, pointer_to(name));
    as_json.has_strings = false;
    members.children.push_back(
        argument(tree::literal(name),
                 tree::alternatives({tree::raw_string(schema, pointer_to(name), {end_of_value(format_)}), as_json})));
  }
  return tree::sequence({gap(), std::move(members)});
}

Result<GrammarNode> CallGrammar::call(const CallableTool& tool) {
  const GrammarNode begin = mark(format_.call_begin), end = mark(format_.call_end);
  switch (format_.call_syntax) {
    case CallSyntax::json: return tree::sequence({begin, gap(), json_object(tool, false), gap(), end});
    case CallSyntax::bare_json: return tree::sequence({tree::optional(begin), json_object(tool, true)});
    case CallSyntax::json_list: return json_object(tool, false);
    case CallSyntax::function_tags: {
      const GrammarNode function = tree::sequence({tree::literal(format_.tags.name_begin + tool.name + ">"),
                                                   OGAS_TRY(tagged_members(tool)), tree::literal("</function>")});
      // Some leave out the outer marks.
      return tree::alternatives({tree::sequence({begin, gap(), function, gap(), end}), function});
    }
    case CallSyntax::argument_tags:
      return tree::sequence({begin, gap(), tree::literal(tool.name), OGAS_TRY(tagged_members(tool)), end});
    case CallSyntax::call_tokens: {
      if (!format_.fences_arguments) return named_json(tool);
      return tree::sequence({begin, tree::literal("function"), mark(format_.call_separator),
                             tree::literal(tool.name + "\n```json\n"), tree::json(schema_of(tool)),
                             tree::literal("\n```"), end});
    }
    default: break;
  }
  return fail(ErrorCode::unsupported, "this model's chat template shows no calls of tools");
}

Result<GrammarNode> CallGrammar::one_call() {
  Nodes nodes;
  for (const CallableTool& tool : rules_.tools) nodes.push_back(OGAS_TRY(call(tool)));
  return tree::alternatives(std::move(nodes));
}

// One call or, where several may come, more, each after the one before.
Result<GrammarNode> CallGrammar::calls() {
  const GrammarNode one = OGAS_TRY(one_call());
  const bool is_list = format_.call_syntax == CallSyntax::json_list;
  const bool is_bare = format_.call_syntax == CallSyntax::bare_json;
  const std::string_view separator = is_list ? "," : is_bare ? ";" : "";
  const GrammarNode between = tree::sequence({tree::literal(separator), gap()});
  Nodes nodes = {one};
  const uint32_t n_more = rules_.max_calls == UINT32_MAX ? UINT32_MAX : rules_.max_calls - 1;
  if (n_more > 0) nodes.push_back(tree::repeat(tree::sequence({between, one}), 0, n_more));
  if (is_list) {
    nodes.insert(nodes.begin(), tree::literal("["));
    nodes.push_back(tree::literal("]"));
  }
  if (!format_.calls_begin.empty()) {
    nodes.insert(nodes.begin(), mark(format_.calls_begin));
    nodes.push_back(mark(format_.calls_end));
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
  for (const CallableTool& tool : rules_.tools) names.push_back(tree::literal(quoted_json(tool.name)));
  GrammarNode node{.kind = GrammarNode::Kind::not_beginning};
  node.children = {tree::sequence({gap(), tree::optional(tree::literal(format_.call_begin)), gap(), spaced({"{"}),
                                   tree::optional(spaced({"\"type\":", "\"function\","})), spaced({"\"name\":"}),
                                   tree::alternatives(std::move(names))})};
  return node;
}

Result<GrammarNode> CallGrammar::with_tags(const std::optional<GrammarTree::Schema>& content) {
  const GrammarNode calls = OGAS_TRY(this->calls());
  const GrammarNode only_calls = tree::sequence({gap(), calls, gap()});
  if (rules_.is_required) return only_calls;
  if (content) return tree::alternatives({tree::json(add_schema(*content)), only_calls});
  if (format_.call_syntax == CallSyntax::bare_json) return tree::alternatives({bare_text(), only_calls});
  const GrammarNode text = text_without_calls();
  if (rules_.max_calls != UINT32_MAX) return tree::sequence({text, tree::optional(tree::sequence({calls, gap()}))});
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

Result<GrammarNode> CallGrammar::with_channels(const std::optional<GrammarTree::Schema>& content, AnswerBegin begin) {
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

Result<GrammarTree> CallGrammar::make(const std::optional<GrammarTree::Schema>& content, AnswerBegin begin) {
  GrammarNode root = OGAS_TRY(format_.channels ? with_channels(content, begin) : with_tags(content));
  tree_.rules.push_back({.name = "root", .body = std::move(root), .is_defined = true});
  return std::move(tree_);
}

}  // namespace

bool has_call_grammar(const OutputFormat& format) {
  // Control tokens within the text, or calls within reasoning, are beyond the grammar.
  if (!format.message_begin.empty() || !format.message_end.empty() || format.response_begin.starts_with("<|") ||
      format.calls_end_reasoning)
    return false;
  switch (format.call_syntax) {
    case CallSyntax::json:
    case CallSyntax::bare_json:
    case CallSyntax::function_tags:
    case CallSyntax::call_tokens: return true;
    case CallSyntax::json_list: return format.calls_end != "```";
    case CallSyntax::argument_tags: return format.calls_begin.empty();
    default: return format.channels;
  }
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
                                      const CallRules& rules, const std::optional<GrammarTree::Schema>& content,
                                      AnswerBegin begin) {
  return CallGrammar(format, controls, rules).make(content, begin);
}

}  // namespace ogas
