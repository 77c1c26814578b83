#include "grammar/schema_references.h"

#include <algorithm>
#include <charconv>

#include "base/quote.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

// Keywords whose value is a schema or a list of schemas, and those whose value is an object of schemas.
bool holds_schema(std::string_view key) {
  constexpr std::string_view kKeywords[] = {"allOf",
                                            "anyOf",
                                            "oneOf",
                                            "not",
                                            "if",
                                            "then",
                                            "else",
                                            "items",
                                            "prefixItems",
                                            "additionalItems",
                                            "unevaluatedItems",
                                            "contains",
                                            "additionalProperties",
                                            "unevaluatedProperties",
                                            "propertyNames",
                                            "contentSchema"};
  return std::ranges::find(kKeywords, key) != std::end(kKeywords);
}
bool holds_schemas_by_name(std::string_view key) {
  constexpr std::string_view kKeywords[] = {"$defs",        "definitions",     "properties", "patternProperties",
                                            "dependencies", "dependentSchemas"};
  return std::ranges::find(kKeywords, key) != std::end(kKeywords);
}

size_t end_of_scheme(std::string_view uri) {
  const size_t colon = uri.find(':');
  return colon == std::string_view::npos || uri.find_first_of("/?#") < colon ? 0 : colon + 1;
}

std::string without_dots(std::string_view path) {
  std::vector<std::string_view> parts;
  size_t at = 0;
  while (at <= path.size()) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part == ".." && parts.size() > 1) parts.pop_back();
    if (part != "." && part != "..") parts.push_back(part);
    at = end + 1;
  }
  std::string result;
  for (size_t idx = 0; idx < parts.size(); ++idx) result += (idx ? "/" : "") + std::string(parts[idx]);
  return result;
}

// RFC 3986, 5.2, as far as schemas need it. Neither has a fragment.
std::string resolve_uri(std::string_view base, std::string_view reference) {
  if (reference.empty()) return std::string(base);
  if (end_of_scheme(reference)) return std::string(reference);
  const size_t scheme = end_of_scheme(base);
  size_t path = scheme;
  if (base.substr(scheme).starts_with("//")) path = std::min(base.find('/', scheme + 2), base.size());
  if (reference.starts_with("//")) return std::string(base.substr(0, scheme)) + std::string(reference);
  if (reference.starts_with('/')) return std::string(base.substr(0, path)) + without_dots(reference);
  const size_t slash = base.rfind('/');
  const size_t folder = slash == std::string_view::npos || slash < path ? path : slash + 1;
  std::string joined(base.substr(path, folder - path));
  if (joined.empty() && path > scheme) joined = "/";
  return std::string(base.substr(0, path)) + without_dots(joined + std::string(reference));
}

std::string decode_percent(std::string_view text) {
  std::string result;
  for (size_t idx = 0; idx < text.size(); ++idx) {
    unsigned value = 0;
    if (text[idx] == '%' && idx + 2 < text.size() + 0 &&
        std::from_chars(text.data() + idx + 1, text.data() + idx + 3, value, 16).ptr == text.data() + idx + 3) {
      result += static_cast<char>(value);
      idx += 2;
    } else {
      result += text[idx];
    }
  }
  return result;
}

std::string decode_token(std::string_view token) {
  std::string result;
  for (size_t idx = 0; idx < token.size(); ++idx) {
    if (token[idx] == '~' && idx + 1 < token.size() && (token[idx + 1] == '0' || token[idx + 1] == '1')) {
      result += token[++idx] == '0' ? '~' : '/';
    } else {
      result += token[idx];
    }
  }
  return result;
}

std::string encode_token(std::string_view key) {
  std::string result;
  for (const char c : key) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return result;
}

}  // namespace

SchemaReferences::SchemaReferences(const JsonValue& root, bool ref_has_no_siblings)
    : root_(root), ref_has_no_siblings_(ref_has_no_siblings) {
  resources_[""] = {&root, ""};
  collect(root, "", "");
}

void SchemaReferences::collect(const JsonValue& value, const std::string& pointer, const std::string& base) {
  if (value.is_array()) {
    for (size_t idx = 0; idx < value.items.size(); ++idx)
      collect(value.items[idx], pointer + "/" + std::to_string(idx), base);
    return;
  }
  if (!value.is_object()) return;
  if (ref_has_no_siblings_ && value.find("$ref")) {
    bases_[&value] = base;
    return collect_children(value, pointer, base);
  }
  std::string own = base;
  for (const std::string_view key : {"$id", "id"}) {
    const JsonValue* id = value.find(key);
    if (!id || !id->is_string()) continue;
    const std::string_view text = id->text;
    const size_t hash = text.find('#');
    if (hash != 0) own = resolve_uri(base, text.substr(0, hash));
    if (hash != 0) resources_.try_emplace(own, Target{&value, pointer});
    if (hash != std::string_view::npos && hash + 1 < text.size() && text[hash + 1] != '/')
      anchors_.try_emplace(own + std::string(text.substr(hash)), Target{&value, pointer});
  }
  for (const std::string_view key : {"$anchor", "$dynamicAnchor"}) {
    const JsonValue* anchor = value.find(key);
    if (!anchor || !anchor->is_string()) continue;
    anchors_.try_emplace(own + "#" + anchor->text, Target{&value, pointer});
    if (key == "$dynamicAnchor") ++n_dynamic_[anchor->text];
  }
  if (value.find("$recursiveAnchor")) has_recursive_anchor_ = true;
  bases_[&value] = own;
  collect_children(value, pointer, own);
}

void SchemaReferences::collect_children(const JsonValue& value, const std::string& pointer, const std::string& base) {
  for (const auto& [key, child] : value.members) {
    const std::string inner = pointer + "/" + encode_token(key);
    if (holds_schema(key)) collect(child, inner, base);
    if (!holds_schemas_by_name(key)) continue;
    for (const auto& [name, schema] : child.members) collect(schema, inner + "/" + encode_token(name), base);
  }
}

SchemaReferences::Target SchemaReferences::follow(const Target& start, std::string_view pointer) const {
  Target at = start;
  while (!pointer.empty()) {
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    const std::string token = decode_token(pointer.substr(1, end - 1));
    const JsonValue* next = nullptr;
    if (at.schema->is_object()) next = at.schema->find(token);
    size_t index = 0;
    if (at.schema->is_array() &&
        std::from_chars(token.data(), token.data() + token.size(), index).ptr == token.data() + token.size() &&
        index < at.schema->items.size())
      next = &at.schema->items[index];
    if (!next) return {nullptr, ""};
    at = {next, at.pointer + "/" + encode_token(token)};
    pointer.remove_prefix(end);
  }
  return at;
}

SchemaReferences::Target SchemaReferences::at(std::string_view pointer) const {
  Target target = follow({&root_, ""}, pointer);
  if (!target.schema) refuse_broken("'#{}' is not in this schema", pointer);
  return target;
}

SchemaReferences::Target SchemaReferences::find(const JsonValue& from, std::string_view reference) const {
  const auto known = bases_.find(&from);
  const std::string& base = known == bases_.end() ? bases_.at(&root_) : known->second;
  const size_t hash = reference.find('#');
  const std::string uri = resolve_uri(base, reference.substr(0, hash));
  const std::string fragment = hash == std::string_view::npos ? "" : decode_percent(reference.substr(hash + 1));
  Target target = {nullptr, ""};
  const auto resource = resources_.find(uri);
  if (!fragment.empty() && fragment[0] != '/') {
    if (const auto anchor = anchors_.find(uri + "#" + fragment); anchor != anchors_.end()) target = anchor->second;
  } else if (resource != resources_.end()) {
    target = follow(resource->second, fragment);
  }
  if (target.schema) return target;
  if (resource == resources_.end() && hash != 0)
    refuse("the reference {} leads to another document, which is not read", in_quotes(reference));
  refuse_broken("the reference {} leads to nothing in this schema", in_quotes(reference));
}

SchemaReferences::Target SchemaReferences::find_dynamic(const JsonValue& from, std::string_view reference) const {
  const size_t hash = reference.find('#');
  const std::string_view name = hash == std::string_view::npos ? "" : reference.substr(hash + 1);
  if (const auto found = n_dynamic_.find(name); found != n_dynamic_.end() && found->second > 1)
    refuse("a '$dynamicRef' with several '$dynamicAnchor' of its name is not supported");
  return find(from, reference);
}

SchemaReferences::Target SchemaReferences::find_recursive(const JsonValue& from, std::string_view reference) const {
  if (has_recursive_anchor_ && resources_.size() > 2)
    refuse("a '$recursiveRef' with '$recursiveAnchor' in several resources is not supported");
  return find(from, reference);
}

}  // namespace ogas::grammar
