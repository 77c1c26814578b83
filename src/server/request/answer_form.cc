#include "server/request/answer_form.h"

#include <utility>
#include <vector>

#include "server/request/structural_tag.h"

namespace ogas::server {
namespace {

using grammar::GrammarSource;
using Form = std::optional<AnswerForm>;

// A schema as an object, or as its text.
ApiResult<AnswerForm> schema_form(const Json& schema, std::string path) {
  if (schema.is_string()) return AnswerForm{GrammarSource::json_schema(schema.get<std::string>()), std::move(path)};
  if (!schema.is_object() && !schema.is_boolean())
    return refuse(path, "{} is {}, where a JSON Schema is expected", path, kind_of(schema));
  return AnswerForm{GrammarSource::json_schema(to_text(schema)), std::move(path)};
}

// {"name", "description", "strict", "schema"}. It is enforced whether or not strict is true.
ApiResult<AnswerForm> read_named_schema(Fields& fields) {
  const Json* schema = fields.find("schema");
  if (!schema) return refuse(fields.path_of("schema"), "{} is missing", fields.path_of("schema"));
  OGAS_TRY(fields.text("name"));
  OGAS_TRY(fields.text("description"));
  OGAS_TRY(fields.boolean("strict"));
  return schema_form(*schema, fields.path_of("schema"));
}

// A structural tag as an object, or as its text.
ApiResult<AnswerForm> structural_form(const Json& tag, std::string path) {
  const Json parsed = tag.is_string() ? OGAS_TRY(parse_json(tag.get<std::string>())) : tag;
  return AnswerForm{.source = OGAS_TRY(read_structural_tag(parsed, path)), .path = std::move(path)};
}

// One of vLLM's ways, under the names that it has in `fields`.
struct WayNames {
  std::string_view json, regex, gbnf, choice, json_object;
};

ApiResult<> read_ways(Fields& fields, const WayNames& names, std::vector<AnswerForm>& forms) {
  constexpr size_t kMaxChoices = 10'000;
  const auto has = [&](std::string_view name) { return !name.empty() && fields.find(name); };
  if (const Json* schema = fields.find(names.json))
    forms.push_back(OGAS_TRY(schema_form(*schema, fields.path_of(names.json))));
  if (has(names.regex))
    forms.push_back({GrammarSource::regex(OGAS_TRY(fields.needed_text(names.regex))), fields.path_of(names.regex)});
  if (auto gbnf = OGAS_TRY(fields.text(names.gbnf)); gbnf && !gbnf->empty())
    forms.push_back({GrammarSource::gbnf(*std::move(gbnf)), fields.path_of(names.gbnf)});
  if (has(names.choice))
    forms.push_back(
        {GrammarSource::choice(OGAS_TRY(fields.texts(names.choice, kMaxChoices))), fields.path_of(names.choice)});
  if (has(names.json_object) && OGAS_TRY(fields.boolean(names.json_object)).value_or(false))
    forms.push_back({GrammarSource::any_object(), fields.path_of(names.json_object)});
  return {};
}

}  // namespace

ApiResult<Form> read_openai_form(Fields& fields, std::string_view name) {
  const Json* given = fields.find(name);
  if (!given) return Form();
  Fields format = OGAS_TRY(Fields::of(*given, fields.path_of(name)));
  const std::string type = OGAS_TRY(format.needed_text("type"));
  if (type == "structural_tag") return OGAS_TRY(structural_form(*given, format.path()));
  Form form;
  if (type == "json_object") {
    // llama.cpp and others take a schema here.
    const Json* schema = format.find("schema");
    form = schema ? OGAS_TRY(schema_form(*schema, format.path_of("schema")))
                  : AnswerForm{GrammarSource::any_object(), format.path()};
  } else if (type == "json_schema") {
    if (const Json* object = format.find("json_schema")) {
      Fields named = OGAS_TRY(Fields::of(*object, format.path_of("json_schema")));
      form = OGAS_TRY(read_named_schema(named));
      OGAS_TRY(named.finish());
    } else {
      form = OGAS_TRY(read_named_schema(format));
    }
  } else if (type != "text") {
    return refuse(format.path_of("type"), "{} is '{}', which is none of text, json_object, json_schema, structural_tag",
                  format.path_of("type"), type);
  }
  OGAS_TRY(format.finish());
  return form;
}

ApiResult<Form> read_answer_form(Fields& fields) {
  std::vector<AnswerForm> forms;
  if (Form form = OGAS_TRY(read_openai_form(fields, "response_format"))) forms.push_back(*std::move(form));
  OGAS_TRY(read_ways(fields, {"guided_json", "guided_regex", "guided_grammar", "guided_choice", {}}, forms));
  OGAS_TRY(read_ways(fields, {"json_schema", {}, "grammar", {}, {}}, forms));
  if (const Json* given = fields.find("structured_outputs")) {
    Fields outputs = OGAS_TRY(Fields::of(*given, fields.path_of("structured_outputs")));
    OGAS_TRY(read_ways(outputs, {"json", "regex", "grammar", "choice", "json_object"}, forms));
    if (const Json* tag = outputs.find("structural_tag"))
      forms.push_back(OGAS_TRY(structural_form(*tag, outputs.path_of("structural_tag"))));
    OGAS_TRY(outputs.finish());
  }
  if (forms.empty()) return Form();
  if (forms.size() > 1)
    return refuse(forms[1].path, "{} and {} both say what the answer must look like; one of them may", forms[0].path,
                  forms[1].path);
  return std::move(forms.front());
}

ApiResult<Form> read_ollama_form(Fields& fields) {
  const Json* format = fields.find("format");
  if (!format || *format == "") return Form();
  if (*format == "json") return AnswerForm{GrammarSource::any_object(), fields.path_of("format")};
  if (format->is_string())
    return refuse("format", "format is '{}', where \"json\" or a JSON Schema is expected", format->get<std::string>());
  return schema_form(*format, fields.path_of("format"));
}

}  // namespace ogas::server
