// JSON that satisfies a schema, as items of a parser: values, objects and arrays as far as they have been written.
//
// Members come in any order, each key once. Which keys without a name of their own were written is kept, so that none
// comes twice; a lookahead, which does not know what was written, allows no second one of the same class.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/pushdown.h"
#include "grammar/schema_solver.h"
#include "grammar/shape_progress.h"

namespace ogas::grammar {

struct JsonLayout {
  bool has_spaces = true;    // a space, or a line's end and an indentation, where JSON allows some
  bool keeps_order = false;  // named members in the order of the schema, before all others
  std::string_view null_word = "null", true_word = "true", false_word = "false";
  // Around strings: kNothing for quotation marks. Else keys are words with nothing around them.
  NodeId string_mark = kNothing;
  NodeId strings = kAnything;  // those that can be written
};

class JsonItems final : public ItemSource {
 public:
  JsonItems(SchemaSolver& solver, const JsonLayout& layout);

  ItemId root(ValueId value);
  // Computes all that can be reached from a value, so that what is refused is refused now.
  void explore(ValueId value);

  ItemExpansion expand(ItemId item) override;
  std::vector<ItemId> follow(Tag tag, ItemId item, std::optional<std::string_view> written) override;

 private:
  enum class Kind : uint8_t { value, spaced_value, object, array };
  struct Item {
    Kind kind;
    uint32_t index;  // a ValueId, or of object_states_ or array_states_
  };
  struct ObjectState {
    uint32_t shape = 0;
    ObjectProgress progress = {};
    std::vector<uint32_t> extra_keys = {};  // indices of key_texts_, in order
    uint32_t next_name = 0;                 // where names keep their order
    bool is_first = true;                   // nothing was written yet
    bool has_unknown_key = false;
    bool operator==(const ObjectState&) const = default;
  };
  struct ArrayState {
    uint32_t shape = 0;
    ArrayProgress progress = {};
    bool is_first = true;
    bool operator==(const ArrayState&) const = default;
  };
  template <class State>
  struct StateHash {
    size_t operator()(const State& state) const;
  };
  class KeyLexemes;

  ItemId item(Kind kind, uint32_t index);
  ItemId object_item(ObjectState state);
  ItemId array_item(ArrayState state);
  NodeId value_lexeme(ValueId value);
  NodeId object_lexeme(const ObjectState& state);
  ItemExpansion expand_array(const ArrayState& state);
  NodeId key_texts_of_layout();
  std::string last_key(std::string_view written) const;
  uint32_t extra_key(std::string_view written);
  bool is_satisfiable(ValueId value) { return solver_.is_satisfiable(value); }
  std::vector<ItemId> follow_key(Tag tag, const ObjectState& state, std::optional<std::string_view> written);

  SchemaSolver& solver_;
  Regexes& regexes_;
  JsonLayout layout_;
  NodeId space_, quote_, key_quote_;
  std::vector<Item> items_;
  std::unordered_map<uint64_t, ItemId> known_items_;
  std::vector<ItemExpansion> expansions_;  // by item, where is_expanded_
  std::vector<bool> is_expanded_;
  std::vector<ObjectState> object_states_;
  std::vector<ArrayState> array_states_;
  std::unordered_map<ObjectState, uint32_t, StateHash<ObjectState>> known_objects_;
  std::unordered_map<ArrayState, uint32_t, StateHash<ArrayState>> known_arrays_;
  std::vector<std::u32string> key_texts_;
  std::unordered_map<std::string, uint32_t> known_keys_;
};

}  // namespace ogas::grammar
