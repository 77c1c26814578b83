#include "text/pre_tokenizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/quote.h"
#include "text/unicode.h"

namespace ogas {

const std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::string_view kDigitsByThree =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDigitsByOne =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kPunctuationApart =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Latin, Greek, Cyrillic, Georgian, Cherokee and other letters with case, listed in the model's tokenizer.json.
constexpr std::string_view kCasedLetters =
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼ"
    "ιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ"
    "𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
constexpr std::string_view kIdeographs = "[一-龥\u0800-一가-\uD7FF]+";

struct Recipe {
  std::array<std::string_view, 4> names;  // as in GGUF's tokenizer.ggml.pre
  std::array<std::string_view, 6> patterns;
  bool is_normalized = false;  // to form C
  bool ignore_merges = false;
};

// The patterns are those of each model's tokenizer.json, which the names stand for.
const Recipe kRecipes[] = {
    {{"default", "gpt-2"}, {kGpt2Pattern}},
    {{"smollm"}, {R"(\p{N})", kGpt2Pattern}},
    {{"llama-bpe", "llama3", "llama-v3"}, {kDigitsByThree}, false, true},
    {{"qwen2"}, {kDigitsByOne}, true},
    {{"deepseek-r1-qwen"}, {kDigitsByOne}},
    {{"deepseek-v3"}, {R"(\p{N}{1,3})", "[一-龥\u3040-ゟ゠-ヿ]+", kPunctuationApart}},
    {{"deepseek-llm"},
     {R"([\r\n])", kCasedLetters, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", R"(\s+$)", kIdeographs, R"(\p{N})"}},
    {{"deepseek-coder"}, {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kIdeographs, R"(\p{N})"}},
};

bool has_name(const Recipe& recipe, std::string_view name) {
  return !name.empty() && std::ranges::find(recipe.names, name) != recipe.names.end();
}

}  // namespace

Result<TextRules> rules_named(std::string_view name) {
  const auto* recipe = std::ranges::find_if(kRecipes, [&](const Recipe& r) { return has_name(r, name); });
  if (recipe == std::end(kRecipes)) {
    std::vector<std::string_view> known;
    for (const Recipe& other : kRecipes)
      std::ranges::copy_if(other.names, std::back_inserter(known), [](std::string_view n) { return !n.empty(); });
    return fail(ErrorCode::unsupported, "pre-tokenizer {} is not one ogas knows; it knows: {}", in_quotes(name),
                fmt::join(known, ", "));
  }
  TextRules rules;
  rules.ignore_merges = recipe->ignore_merges;
  if (recipe->is_normalized) rules.normalizer.push_back({});
  for (const std::string_view pattern : recipe->patterns)
    if (!pattern.empty()) rules.splits.push_back({.pattern = std::string(pattern)});
  return rules;
}

// One pass over a text: the steps' scratch memory, and where the pieces go.
class PreTokenizer::Run {
 public:
  Run(std::span<const Step> steps, Emit emit) : steps_(steps), emit_(emit) {
    matchers_.reserve(steps.size());
    for (const Step& step : steps) matchers_.emplace_back(step.pattern);
  }

  void split(size_t step_idx, std::string_view text) {
    if (text.empty()) return;
    if (step_idx == steps_.size()) return emit_(text);
    if (steps_[step_idx].behavior == SplitStep::Behavior::isolated)
      for_each_stretch(step_idx, text, [&](std::string_view stretch, bool) { split(step_idx + 1, stretch); });
    else
      split_and_join(step_idx, text);
  }

 private:
  // Calls visit(stretch, matched) for every match and for what lies between matches, in order.
  template <class Visit>
  void for_each_stretch(size_t step_idx, std::string_view text, const Visit& visit) {
    Pattern::Matcher& matcher = matchers_[step_idx];
    size_t done = 0;
    size_t begin = 0;
    size_t end = 0;
    for (size_t from = 0; from < text.size() && matcher.find(text, from, begin, end);) {
      if (begin > done) visit(text.substr(done, begin - done), false);
      if (end > begin) visit(text.substr(begin, end - begin), true);
      // A match of nothing cuts, and the search goes on behind the next character.
      from = end > begin || end == text.size() ? end : end + next_utf8(text.substr(end)).length;
      done = end;
    }
    if (done < text.size()) visit(text.substr(done), false);
  }

  // A stretch joins the one before it as the behaviour says; a joined piece goes on as soon as nothing can join it.
  void split_and_join(size_t step_idx, std::string_view text) {
    using Behavior = SplitStep::Behavior;
    const Step& step = steps_[step_idx];
    std::string_view open;  // what may still grow
    bool open_matched = false;
    const auto visit = [&](std::string_view stretch, bool found) {
      const bool matched = found != step.invert;
      const bool joins =
          !open.empty() && ((step.behavior == Behavior::contiguous && matched == open_matched) ||
                            (step.behavior == Behavior::merged_with_previous && matched && !open_matched) ||
                            (step.behavior == Behavior::merged_with_next && !matched && open_matched));
      if (joins) {
        open = {open.data(), open.size() + stretch.size()};
      } else {
        if (!open.empty()) split(step_idx + 1, open);
        open = step.behavior == Behavior::removed && matched ? std::string_view() : stretch;
      }
      open_matched = matched;
    };
    for_each_stretch(step_idx, text, visit);
    if (!open.empty()) split(step_idx + 1, open);
  }

  std::span<const Step> steps_;
  Emit emit_;
  std::vector<Pattern::Matcher> matchers_;
};

Result<PreTokenizer> PreTokenizer::create(std::span<const SplitStep> steps) {
  PreTokenizer result;
  for (const SplitStep& step : steps)
    result.steps_.push_back({OGAS_TRY(Pattern::compile(step.pattern)), step.behavior, step.invert});
  return result;
}

void PreTokenizer::split(std::string_view text, Emit emit) const { Run(steps_, emit).split(0, text); }

}  // namespace ogas
