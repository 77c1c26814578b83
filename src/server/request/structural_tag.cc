#include "server/request/structural_tag.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ogas::server {
namespace {

namespace tree = grammar::tree;
using grammar::GrammarNode;
using grammar::GrammarTree;

constexpr size_t kMaxStructures = 1024, kMaxTriggers = 64;

// begin, JSON by the schema, end.
ApiResult<GrammarNode> read_structure(const Json& given, const std::string& path,
                                      const std::vector<std::string>& triggers, GrammarTree& tree) {
  Fields structure = OGAS_TRY(Fields::of(given, path));
  const std::string begin = OGAS_TRY(structure.needed_text("begin"));
  const std::string end = OGAS_TRY(structure.needed_text("end"));
  const Json* schema = structure.find("schema");
  const std::string schema_path = structure.path_of("schema");
  if (!schema) return refuse(schema_path, "{} is missing", schema_path);
  if (!schema->is_object() && !schema->is_boolean())
    return refuse(schema_path, "{} is {}, where a JSON Schema is expected", schema_path, kind_of(*schema));
  OGAS_TRY(structure.finish());
  if (std::ranges::none_of(triggers, [&](const std::string& trigger) { return begin.starts_with(trigger); }))
    return refuse(structure.path_of("begin"), "{} is '{}', which begins with none of the triggers",
                  structure.path_of("begin"), begin);
  tree.schemas.push_back({.text = to_text(*schema), .options = grammar::answer_options(), .name = schema_path});
  const auto index = static_cast<uint32_t>(tree.schemas.size() - 1);
  return tree::sequence({tree::literal(begin), tree::json(index), tree::literal(end)});
}

}  // namespace

ApiResult<grammar::GrammarSource> read_structural_tag(const Json& tag, const std::string& path) {
  Fields fields = OGAS_TRY(Fields::of(tag, path));
  if (const auto type = OGAS_TRY(fields.text("type")); type && *type != "structural_tag")
    return refuse(fields.path_of("type"), "{} is '{}', where 'structural_tag' is expected", fields.path_of("type"),
                  *type);
  const Json* structures = fields.find("structures");
  const std::string structures_path = fields.path_of("structures"), triggers_path = fields.path_of("triggers");
  if (!structures || !structures->is_array() || structures->empty() || structures->size() > kMaxStructures)
    return refuse(structures_path, "{} is {}, where an array of 1 to {} structures is expected", structures_path,
                  !structures              ? "missing"
                  : structures->is_array() ? fmt::format("an array of {}", structures->size())
                                           : std::string(kind_of(*structures)),
                  kMaxStructures);
  const std::vector<std::string> triggers = OGAS_TRY(fields.texts("triggers", kMaxTriggers));
  if (triggers.empty() || std::ranges::count(triggers, "") > 0)
    return refuse(triggers_path, "{} are texts that begin the structures: none is there, or an empty one",
                  triggers_path);
  OGAS_TRY(fields.finish());
  grammar::GrammarSource source{.kind = grammar::GrammarSource::Kind::tree};
  std::vector<GrammarNode> nodes;
  for (size_t idx = 0; idx < structures->size(); ++idx)
    nodes.push_back(OGAS_TRY(
        read_structure((*structures)[idx], fmt::format("{}[{}]", structures_path, idx), triggers, source.tree)));
  const GrammarNode text = tree::free_text(triggers);
  const GrammarNode parts = tree::sequence({tree::alternatives(std::move(nodes)), text});
  source.tree.rules.push_back(
      {.name = "root", .body = tree::sequence({text, tree::repeat(parts, 0, UINT32_MAX)}), .is_defined = true});
  return source;
}

}  // namespace ogas::server
