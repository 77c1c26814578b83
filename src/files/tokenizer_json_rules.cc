#include "files/tokenizer_json_rules.h"

#include <algorithm>

#include "base/quote.h"
#include "text/pattern.h"
#include "text/pre_tokenizer.h"

namespace ogas {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";
// Sequences within sequences: more than anyone writes.
constexpr int kMaxRuleDepth = 8;

Result<> check_depth(const JsonNode& node, int depth) {
  if (depth < kMaxRuleDepth) return {};
  return fail(ErrorCode::unsupported, "{} is nested deeper than {} levels", node.path(), kMaxRuleDepth);
}

std::unexpected<Error> refuse_type(const JsonNode& node, std::string_view type, std::string_view known) {
  return fail(ErrorCode::unsupported, "{}.type is {}; ogas knows {}", node.path(), in_quotes(type), known);
}

Result<> read_normalizer(const JsonNode& node, TextRules& rules, int depth = 0) {
  OGAS_TRY(check_depth(node, depth));
  const auto type = OGAS_TRY(node.type());
  if (type == "NFC") {
    rules.normalizer.push_back({.kind = TextStep::Kind::nfc, .what = {}, .with = {}});
  } else if (type == "Prepend") {
    const auto text = OGAS_TRY(OGAS_TRY(node.get("prepend")).string());
    rules.normalizer.push_back({.kind = TextStep::Kind::prepend, .what = std::string(text), .with = {}});
  } else if (type == "Replace") {
    const auto what = OGAS_TRY(OGAS_TRY(node.get("pattern")).find("String"));
    if (!what)
      return fail(ErrorCode::unsupported, "{}.pattern is not a String, the only kind that ogas supports", node.path());
    const auto with = OGAS_TRY(OGAS_TRY(node.get("content")).string());
    rules.normalizer.push_back(
        {.kind = TextStep::Kind::replace, .what = std::string(OGAS_TRY(what->string())), .with = std::string(with)});
  } else if (type == "Sequence") {
    for (const JsonNode& part : OGAS_TRY(OGAS_TRY(node.get("normalizers")).elements()))
      OGAS_TRY(read_normalizer(part, rules, depth + 1));
  } else {
    return refuse_type(node, type, "NFC, Prepend, Replace and Sequence");
  }
  return {};
}

Result<SplitStep::Behavior> read_behavior(const JsonNode& node) {
  using Behavior = SplitStep::Behavior;
  constexpr std::pair<std::string_view, Behavior> kNames[] = {
      {"Isolated", Behavior::isolated},
      {"Removed", Behavior::removed},
      {"Contiguous", Behavior::contiguous},
      {"MergedWithPrevious", Behavior::merged_with_previous},
      {"MergedWithNext", Behavior::merged_with_next},
  };
  const auto name = OGAS_TRY(node.string());
  const auto* found = std::ranges::find(kNames, name, &std::pair<std::string_view, Behavior>::first);
  if (found == std::end(kNames)) return fail(ErrorCode::unsupported, "{} is {}", node.path(), in_quotes(name));
  return found->second;
}

// Reads the pre-tokenizers one after the other.
class PreTokenizerReader {
 public:
  explicit PreTokenizerReader(TextRules& rules) : rules_(rules) {}
  bool has_byte_level() const { return has_byte_level_; }

  Result<> read(const JsonNode& node, int depth = 0) {
    OGAS_TRY(check_depth(node, depth));
    const auto type = OGAS_TRY(node.type());
    if (has_byte_level_)
      return fail(ErrorCode::unsupported, "{} comes after ByteLevel; ogas knows that as the last one", node.path());
    if (type == "Sequence") {
      for (const JsonNode& part : OGAS_TRY(OGAS_TRY(node.get("pretokenizers")).elements()))
        OGAS_TRY(read(part, depth + 1));
      return {};
    }
    if (type == "Split") return read_split(node);
    if (type == "ByteLevel") return read_byte_level(node);
    if (type == "Metaspace") return read_metaspace(node);
    if (type == "Digits") {
      const bool one_by_one = OGAS_TRY(node.boolean_or("individual_digits", false));
      rules_.splits.push_back({.pattern = one_by_one ? R"(\p{N})" : R"(\p{N}+)"});
      return {};
    }
    return refuse_type(node, type, "Split, Digits, ByteLevel, Metaspace and Sequence");
  }

 private:
  Result<> read_split(const JsonNode& node) {
    const JsonNode pattern = OGAS_TRY(node.get("pattern"));
    SplitStep step;
    if (const auto text = OGAS_TRY(pattern.find("String")))
      step.pattern = pattern_of_text(OGAS_TRY(text->string()));
    else
      step.pattern = OGAS_TRY(OGAS_TRY(pattern.get("Regex")).string());
    step.behavior = OGAS_TRY(read_behavior(OGAS_TRY(node.get("behavior"))));
    step.invert = OGAS_TRY(node.boolean_or("invert", false));
    rules_.splits.push_back(std::move(step));
    return {};
  }

  // What changes text must come before what cuts it: that is the order in which TextRules has them.
  Result<> prepare(const JsonNode& node, TextStep step) {
    if (!rules_.splits.empty())
      return fail(ErrorCode::unsupported, "{} changes text that is already cut; ogas knows that only before",
                  node.path());
    rules_.preparation.push_back(std::move(step));
    return {};
  }

  Result<> read_byte_level(const JsonNode& node) {
    if (OGAS_TRY(node.boolean_or("add_prefix_space", true)))
      OGAS_TRY(prepare(node, {.kind = TextStep::Kind::prepend_once, .what = " ", .with = {}}));
    if (OGAS_TRY(node.boolean_or("use_regex", true))) rules_.splits.push_back({.pattern = std::string(kGpt2Pattern)});
    has_byte_level_ = true;
    return {};
  }

  Result<> read_metaspace(const JsonNode& node) {
    const auto mark = OGAS_TRY(OGAS_TRY(node.get("replacement")).string());
    if (mark != kSpaceMark)
      return fail(ErrorCode::unsupported, "{}.replacement is {}; ogas knows U+2581", node.path(), in_quotes(mark));
    OGAS_TRY(prepare(node, {.kind = TextStep::Kind::replace, .what = " ", .with = std::string(mark)}));
    // Before prepend_scheme there was add_prefix_space.
    const auto scheme_node = OGAS_TRY(node.find("prepend_scheme"));
    const bool adds = OGAS_TRY(node.boolean_or("add_prefix_space", true));
    const auto scheme = scheme_node ? OGAS_TRY(scheme_node->string()) : std::string_view(adds ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never")
      return fail(ErrorCode::unsupported, "{}.prepend_scheme is {}", node.path(), in_quotes(scheme));
    const auto kind = scheme == "always" ? TextStep::Kind::prepend_once : TextStep::Kind::prepend_first;
    if (scheme != "never") OGAS_TRY(prepare(node, {.kind = kind, .what = std::string(mark), .with = {}}));
    if (OGAS_TRY(node.boolean_or("split", true)))
      rules_.splits.push_back(
          {.pattern = std::string(mark), .behavior = SplitStep::Behavior::merged_with_next, .invert = false});
    return {};
  }

  TextRules& rules_;
  bool has_byte_level_ = false;
};

struct Decoder {
  bool is_byte_level = false;
  bool marks_spaces = false;   // turns marks into spaces
  bool strips_prefix = false;  // drops the space in front
};

Result<> read_metaspace_decoder(const JsonNode& node, Decoder& decoder) {
  const auto scheme = OGAS_TRY(node.find("prepend_scheme"));
  decoder.marks_spaces = true;
  decoder.strips_prefix =
      scheme ? OGAS_TRY(scheme->string()) != "never" : OGAS_TRY(node.boolean_or("add_prefix_space", true));
  return {};
}

Result<> read_decoder(const JsonNode& node, Decoder& decoder, int depth = 0) {
  OGAS_TRY(check_depth(node, depth));
  const auto type = OGAS_TRY(node.type());
  const auto text = [&](std::string_view key) -> Result<std::string_view> { return OGAS_TRY(node.get(key)).string(); };
  if (type == "ByteLevel") {
    decoder.is_byte_level = true;
  } else if (type == "Metaspace") {
    return read_metaspace_decoder(node, decoder);
  } else if (type == "Replace") {
    const auto what = OGAS_TRY(OGAS_TRY(node.get("pattern")).find("String"));
    if (!what || OGAS_TRY(what->string()) != kSpaceMark || OGAS_TRY(text("content")) != " ")
      return fail(ErrorCode::unsupported, "{} replaces something else than U+2581 by a space", node.path());
    decoder.marks_spaces = true;
  } else if (type == "Strip") {
    const auto start = OGAS_TRY(OGAS_TRY(node.get("start")).integer(0, kMaxRuleDepth));
    const auto stop = OGAS_TRY(OGAS_TRY(node.get("stop")).integer(0, kMaxRuleDepth));
    if (OGAS_TRY(text("content")) != " " || start != 1 || stop != 0)
      return fail(ErrorCode::unsupported, "{} strips something else than one space in front", node.path());
    decoder.strips_prefix = true;
  } else if (type == "Sequence") {
    for (const JsonNode& part : OGAS_TRY(OGAS_TRY(node.get("decoders")).elements()))
      OGAS_TRY(read_decoder(part, decoder, depth + 1));
  } else if (type != "ByteFallback" && type != "Fuse") {  // these two say what is done anyway
    return refuse_type(node, type, "ByteLevel, Metaspace, Replace, ByteFallback, Fuse, Strip and Sequence");
  }
  return {};
}

}  // namespace

Result<> read_text_rules(const JsonNode& root, Vocab& vocab) {
  if (const auto node = OGAS_TRY(root.find("normalizer"))) OGAS_TRY(read_normalizer(*node, *vocab.rules));
  PreTokenizerReader reader(*vocab.rules);
  if (const auto node = OGAS_TRY(root.find("pre_tokenizer"))) OGAS_TRY(reader.read(*node));
  vocab.model = reader.has_byte_level() ? TokenizerModel::byte_level_bpe : TokenizerModel::sentencepiece_bpe;
  Decoder decoder;
  decoder.is_byte_level = reader.has_byte_level();
  const auto node = OGAS_TRY(root.find("decoder"));
  if (node) OGAS_TRY(read_decoder(*node, decoder));
  if (decoder.is_byte_level != reader.has_byte_level())
    return fail(ErrorCode::unsupported, "{} is ByteLevel and the pre-tokenizer is not", node->path());
  vocab.marks_spaces = decoder.marks_spaces;
  vocab.add_space_prefix = decoder.strips_prefix;
  return {};
}

}  // namespace ogas
