#include "grammar/json_items.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "grammar/hashing.h"
#include "grammar/refusal.h"

namespace ogas::grammar {
namespace {

// Tags: what a lexeme ended with. Those of members and items speak of the state they are read in.
enum class TagKind : uint32_t { value_end, object_begin, array_begin, name, key_class, item };
constexpr uint32_t kOptionBits = 8, kIndexBits = 28;

Tag make_tag(TagKind kind, size_t index, size_t option = 0) {
  return static_cast<uint32_t>(kind) << kIndexBits | static_cast<uint32_t>(index << kOptionBits | option);
}
TagKind kind_of(Tag tag) { return static_cast<TagKind>(tag >> kIndexBits); }
size_t index_of(Tag tag) { return (tag & ((1u << kIndexBits) - 1)) >> kOptionBits; }
size_t option_of(Tag tag) { return tag & ((1u << kOptionBits) - 1); }

}  // namespace

template <>
size_t JsonItems::StateHash<JsonItems::ObjectState>::operator()(const ObjectState& state) const {
  uint64_t hash = mix(mix(state.shape, state.next_name), (state.is_first ? 1 : 0) + (state.has_unknown_key ? 2 : 0));
  for (const uint64_t word : state.progress.seen) hash = mix(hash, word);
  for (const uint32_t used : state.progress.used) hash = mix(hash, used);
  for (const uint32_t key : state.extra_keys) hash = mix(hash, key);
  return mix(mix(hash, state.progress.demands_met), state.progress.n_keys);
}

template <>
size_t JsonItems::StateHash<JsonItems::ArrayState>::operator()(const ArrayState& state) const {
  uint64_t hash = mix(mix(state.shape, state.progress.n_items), state.is_first ? 1 : 0);
  for (const uint32_t count : state.progress.counts) hash = mix(hash, count);
  return hash;
}

// What may come next in an object.
class JsonItems::KeyLexemes {
 public:
  KeyLexemes(JsonItems& items, const ObjectState& state)
      : items_(items), state_(state), shape_(items.solver_.object(state.shape)), regexes_(items.regexes_) {}

  NodeId run() {
    const NodeId space = items_.space_;
    std::vector<NodeId> parts;
    if (may_end(shape_, state_.progress))
      parts.push_back(regexes_.concat({space, regexes_.byte('}'), regexes_.accept(make_tag(TagKind::value_end, 0))}));
    const NodeId comma = state_.is_first ? kEmpty : regexes_.byte(',');
    const NodeId keys = regexes_.alternative(names(), classes());
    parts.push_back(regexes_.concat({comma, space, items_.key_quote_, keys}));
    return regexes_.alternative(std::move(parts));
  }

 private:
  bool is_satisfiable(ValueId value) { return items_.solver_.is_satisfiable(value); }
  bool can_complete_after(const ObjectProgress& progress) {
    return can_complete(shape_, progress, [this](ValueId value) { return is_satisfiable(value); });
  }

  // Tags of the options that leave a way to complete the object.
  template <class After>
  NodeId tail(TagKind kind, size_t index, const std::vector<ValueOption>& options, const After& after) {
    std::vector<NodeId> accepts;
    for (size_t idx = 0; idx < options.size(); ++idx)
      if (is_satisfiable(options[idx].value) && after(options[idx]))
        accepts.push_back(regexes_.accept(make_tag(kind, index, idx)));
    return regexes_.concat({items_.key_quote_, regexes_.byte(':'), regexes_.alternative(std::move(accepts))});
  }

  // Without demands, one optional key is like another, and a required key leads where the object must go anyway.
  bool may_take(size_t name, const ValueOption& option) {
    const bool is_simple = shape_.demands.empty();
    if (is_simple && (shape_.names[name].is_required || !shape_.has_counts())) return true;
    if (is_simple && optional_fits_) return *optional_fits_;
    const bool fits = can_complete_after(after_name(shape_, state_.progress, name, option));
    if (is_simple) optional_fits_ = fits;
    return fits;
  }

  NodeId names() {
    std::vector<TextWithTail> texts;
    for (size_t idx = state_.next_name; idx < shape_.names.size(); ++idx) {
      const NamedKey& key = shape_.names[idx];
      if (!state_.progress.has_seen(idx)) {
        const NodeId end =
            tail(TagKind::name, idx, key.options, [&](const ValueOption& option) { return may_take(idx, option); });
        const std::string& name = items_.solver_.formulas().name_of(key.name);
        if (end != kNothing) texts.push_back({decode_utf8(name), end});
      }
      if (items_.layout_.keeps_order && key.is_required) break;
    }
    return items_.solver_.encoding().texts(std::move(texts));
  }

  NodeId classes() {
    if (items_.layout_.keeps_order) {
      for (size_t idx = state_.next_name; idx < shape_.names.size(); ++idx)
        if (shape_.names[idx].is_required) return kNothing;
    }
    std::vector<NodeId> parts;
    for (size_t idx = 0; idx < shape_.classes.size(); ++idx) {
      const KeyClass& keys = shape_.classes[idx];
      if (state_.has_unknown_key) continue;
      const auto after = [&](const ValueOption& option) {
        return (shape_.demands.empty() && !shape_.has_counts()) ||
               can_complete_after(after_class(shape_, state_.progress, idx, option));
      };
      const NodeId end = tail(TagKind::key_class, idx, keys.options, after);
      const NodeId texts = regexes_.intersection(keys.texts, items_.key_texts_of_layout());
      if (end != kNothing) parts.push_back(regexes_.concat(without_seen(texts), end));
    }
    return regexes_.alternative(std::move(parts));
  }

  NodeId without_seen(NodeId texts) {
    if (state_.extra_keys.empty()) return texts;
    std::vector<std::u32string> seen;
    for (const uint32_t key : state_.extra_keys) seen.push_back(items_.key_texts_[key]);
    return regexes_.intersection(texts, regexes_.complement(items_.solver_.encoding().texts(seen)));
  }

  JsonItems& items_;
  const ObjectState state_;
  const ObjectShape& shape_;
  Regexes& regexes_;
  std::optional<bool> optional_fits_;
};

JsonItems::JsonItems(SchemaSolver& solver, const JsonLayout& layout)
    : solver_(solver),
      regexes_(solver.automaton().regexes()),
      layout_(layout),
      space_(kEmpty),
      quote_(layout.string_mark == kNothing ? regexes_.byte('"') : layout.string_mark),
      key_quote_(layout.string_mark == kNothing ? quote_ : kEmpty) {
  if (!layout.has_spaces) return;
  constexpr uint32_t kMaxIndentation = 32;
  const NodeId indentation = regexes_.repeat(regexes_.bytes(ByteSet::of({' ', '\t'})), 0, kMaxIndentation);
  space_ =
      regexes_.optional(regexes_.alternative(regexes_.byte(' '), regexes_.concat(regexes_.byte('\n'), indentation)));
}

ItemId JsonItems::item(Kind kind, uint32_t index) {
  const uint64_t key = uint64_t{static_cast<uint8_t>(kind)} << 32 | index;
  const auto [found, is_new] = known_items_.try_emplace(key, static_cast<ItemId>(items_.size()));
  if (is_new) {
    items_.push_back({kind, index});
    expansions_.emplace_back();
    is_expanded_.push_back(false);
  }
  return found->second;
}

ItemId JsonItems::object_item(ObjectState state) {
  const auto [found, is_new] =
      known_objects_.try_emplace(std::move(state), static_cast<uint32_t>(object_states_.size()));
  if (is_new) object_states_.push_back(found->first);
  return item(Kind::object, found->second);
}

ItemId JsonItems::array_item(ArrayState state) {
  const auto [found, is_new] = known_arrays_.try_emplace(std::move(state), static_cast<uint32_t>(array_states_.size()));
  if (is_new) array_states_.push_back(found->first);
  return item(Kind::array, found->second);
}

ItemId JsonItems::root(ValueId value) { return item(Kind::value, value); }

void JsonItems::explore(ValueId value) {
  std::vector<ValueId> pending = {value};
  std::vector<bool> seen;
  const auto add = [&](const std::vector<ValueOption>& options) {
    for (const ValueOption& option : options) {
      if (seen.size() <= option.value) seen.resize(option.value + 1);
      if (!seen[option.value]) pending.push_back(option.value);
      seen[option.value] = true;
    }
  };
  while (!pending.empty()) {
    const ValueId next = pending.back();
    pending.pop_back();
    if (!solver_.is_satisfiable(next)) continue;
    expand(item(Kind::spaced_value, next));
    for (const uint32_t shape : solver_.objects(next)) {
      if (!solver_.object(shape).demands.empty()) expand(object_item({.shape = shape}));
      for (const NamedKey& key : solver_.object(shape).names) add(key.options);
      for (const KeyClass& keys : solver_.object(shape).classes) add(keys.options);
    }
    for (const uint32_t shape : solver_.arrays(next))
      for (const auto& options : solver_.array(shape).items) add(options);
  }
}

NodeId JsonItems::value_lexeme(ValueId value) {
  const NodeId end = regexes_.accept(make_tag(TagKind::value_end, 0));
  std::vector<NodeId> parts, objects, arrays;
  const NodeId strings = regexes_.intersection(solver_.strings(value), layout_.strings);
  parts.push_back(regexes_.concat({quote_, strings, quote_, end}));
  parts.push_back(regexes_.concat(solver_.numbers(value), end));
  for (const auto& [type, text] : {std::pair(kNullType, layout_.null_word), std::pair(kTrueType, layout_.true_word),
                                   std::pair(kFalseType, layout_.false_word)})
    if (solver_.allows(value, type)) parts.push_back(regexes_.concat(regexes_.literal(text), end));
  for (const uint32_t shape : solver_.objects(value))
    objects.push_back(regexes_.accept(make_tag(TagKind::object_begin, shape)));
  for (const uint32_t shape : solver_.arrays(value))
    arrays.push_back(regexes_.accept(make_tag(TagKind::array_begin, shape)));
  parts.push_back(regexes_.concat(regexes_.byte('{'), regexes_.alternative(std::move(objects))));
  parts.push_back(regexes_.concat(regexes_.byte('['), regexes_.alternative(std::move(arrays))));
  return regexes_.alternative(std::move(parts));
}

ItemExpansion JsonItems::expand_array(const ArrayState& state) {
  const ArrayShape& shape = solver_.array(state.shape);
  ItemExpansion result;
  if (may_end(shape, state.progress)) {
    const NodeId end = regexes_.accept(make_tag(TagKind::value_end, 0));
    result.lexemes.push_back(regexes_.concat({space_, regexes_.byte(']'), end}));
  }
  const auto& options = shape.options(state.progress.n_items);
  const auto is_possible = [this](ValueId value) { return is_satisfiable(value); };
  std::vector<NodeId> accepts;
  for (size_t idx = 0; idx < options.size(); ++idx) {
    if (!may_add(shape, state.progress, options[idx]) || !is_satisfiable(options[idx].value)) continue;
    const ArrayProgress next = after_item(shape, state.progress, options[idx]);
    if (!can_complete(shape, next, is_possible)) continue;
    if (state.is_first) {
      const ItemId after = array_item({.shape = state.shape, .progress = next, .is_first = false});
      result.sequences.push_back({item(Kind::spaced_value, options[idx].value), after});
    } else {
      accepts.push_back(regexes_.accept(make_tag(TagKind::item, 0, idx)));
    }
  }
  if (!accepts.empty())
    result.lexemes.push_back(regexes_.concat(regexes_.byte(','), regexes_.alternative(std::move(accepts))));
  return result;
}

ItemExpansion JsonItems::expand(ItemId id) {
  if (is_expanded_[id]) return expansions_[id];
  const Item item = items_[id];
  ItemExpansion result;
  switch (item.kind) {
    case Kind::value: result.lexemes = {value_lexeme(item.index)}; break;
    case Kind::spaced_value: result.lexemes = {regexes_.concat(space_, value_lexeme(item.index))}; break;
    case Kind::object: result.lexemes = {KeyLexemes(*this, object_states_[item.index]).run()}; break;
    case Kind::array: {
      const ArrayState state = array_states_[item.index];
      result = expand_array(state);
      break;
    }
  }
  std::erase(result.lexemes, kNothing);
  expansions_[id] = result;
  is_expanded_[id] = true;
  return result;
}

// Keys with nothing around them are words.
NodeId JsonItems::key_texts_of_layout() {
  if (key_quote_ != kEmpty) return kAnything;
  ByteSet word = ByteSet::of({'_', '-', '.'});
  for (const auto& [first, last] : {std::pair('a', 'z'), std::pair('A', 'Z'), std::pair('0', '9')})
    word = word | ByteSet::range(static_cast<uint8_t>(first), static_cast<uint8_t>(last));
  return regexes_.repeat(regexes_.bytes(word), 1);
}

// written ends with a key, its quotes and a colon; or with a word and a colon.
std::string JsonItems::last_key(std::string_view written) const {
  if (key_quote_ == kEmpty) {
    const std::string_view before_colon = written.substr(0, written.size() - 1);
    return "\"" + std::string(before_colon.substr(before_colon.find_last_of("{, \n\t") + 1)) + "\"";
  }
  const std::string_view before_quote = written.substr(0, written.size() - 2);
  size_t begin = before_quote.size();
  for (;;) {
    begin = before_quote.rfind('"', begin - 1);
    size_t n_backslashes = 0;
    while (n_backslashes < begin && before_quote[begin - 1 - n_backslashes] == '\\') ++n_backslashes;
    if (n_backslashes % 2 == 0) break;
  }
  return std::string(written.substr(begin, written.size() - 1 - begin));
}

uint32_t JsonItems::extra_key(std::string_view written) {
  const std::string text = last_key(written);
  const auto [found, is_new] = known_keys_.try_emplace(text, static_cast<uint32_t>(key_texts_.size()));
  if (is_new) {
    const auto decoded = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    key_texts_.push_back(decode_utf8(decoded.is_string() ? decoded.get<std::string>() : ""));
  }
  return found->second;
}

std::vector<ItemId> JsonItems::follow_key(Tag tag, const ObjectState& state, std::optional<std::string_view> written) {
  const ObjectShape& shape = solver_.object(state.shape);
  ObjectState next = state;
  next.is_first = false;
  const size_t index = index_of(tag);
  if (kind_of(tag) == TagKind::name) {
    const ValueOption& option = shape.names[index].options[option_of(tag)];
    next.progress = after_name(shape, std::move(next.progress), index, option);
    if (layout_.keeps_order) next.next_name = static_cast<uint32_t>(index + 1);
    return {item(Kind::spaced_value, option.value), object_item(std::move(next))};
  }
  const ValueOption& option = shape.classes[index].options[option_of(tag)];
  next.progress = after_class(shape, std::move(next.progress), index, option);
  if (layout_.keeps_order) next.next_name = static_cast<uint32_t>(shape.names.size());
  if (written) {
    const uint32_t key = extra_key(*written);
    next.extra_keys.insert(std::ranges::upper_bound(next.extra_keys, key), key);
  } else {
    next.has_unknown_key = true;
  }
  return {item(Kind::spaced_value, option.value), object_item(std::move(next))};
}

std::vector<ItemId> JsonItems::follow(Tag tag, ItemId id, std::optional<std::string_view> written) {
  const Item item = items_[id];
  switch (kind_of(tag)) {
    case TagKind::value_end: return {};
    case TagKind::object_begin: return {object_item({.shape = static_cast<uint32_t>(index_of(tag))})};
    case TagKind::array_begin: {
      const auto shape = static_cast<uint32_t>(index_of(tag));
      const size_t n_demands = solver_.array(shape).demands.size();
      return {array_item({.shape = shape, .progress = {.counts = std::vector<uint32_t>(n_demands)}})};
    }
    case TagKind::name:
    case TagKind::key_class: {
      const ObjectState state = object_states_[item.index];
      return follow_key(tag, state, written);
    }
    case TagKind::item: break;
  }
  const ArrayState state = array_states_[item.index];
  const ArrayShape& shape = solver_.array(state.shape);
  const ValueOption& option = shape.options(state.progress.n_items)[option_of(tag)];
  return {this->item(Kind::spaced_value, option.value),
          array_item({.shape = state.shape, .progress = after_item(shape, state.progress, option), .is_first = false})};
}

}  // namespace ogas::grammar
