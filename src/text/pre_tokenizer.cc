#include "text/pre_tokenizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/quote.h"
#include "base/unicode.h"

namespace ogas {

const std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::string_view kDigitsByThree =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDigitsByOne =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kMarksAreLetters =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
    R"(\s+(?!\S)|\s+)";
// Punctuation and new lines apart.
constexpr std::string_view kNewLinesApart =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kNewLinesOneByOne =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kNoContractions =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDigitsTogether =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// White space in pieces of powers of two.
constexpr std::string_view kSpacesByPowers =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
    R"(\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|)"
    R"(\s{1,2}(?!\S)|\s{1})";
constexpr std::string_view kWordsWithSpaces =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|)"
    R"(\s*[\r\n]|\s+(?!\S)|\s+)";
// What BLOOM's file writes as a class within a class.
constexpr std::string_view kUpToPunctuation = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+";
constexpr std::string_view kPunctuationApart = R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^)"
                                               "\r\n"
                                               R"(\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[)"
                                               "\r\n"
                                               R"(]*|\s*[)"
                                               "\r\n"
                                               R"(]+|\s+(?!\S)|\s+)";
// Letters with case (Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee and more) as the model's tokenizer.json lists
// them: not all that Unicode has.
constexpr std::string_view kCasedLetters =
    R"(\s?[A-Za-z)"
    R"(\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af})"
    R"(\x{370}-\x{373}\x{376}-\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1})"
    R"(\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5})"
    R"(\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a})"
    R"(\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b})"
    R"(\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc})"
    R"(\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107})"
    R"(\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134})"
    R"(\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}-\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4})"
    R"(\x{2ceb}-\x{2cee}\x{2cf2}-\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787})"
    R"(\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a})"
    R"(\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2})"
    R"(\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
    "]+";
// Words begin where a capital follows a small letter; digits by three.
constexpr std::string_view kCasedWords =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// The same without contractions, and digits one by one.
constexpr std::string_view kCasedWordsOnly =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kCasedWordsByOne =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Chinese characters apart: where the model's own pattern subtracts them from a class, they are looked for first.
constexpr std::string_view kCasedWordsAndHan =
    R"([\p{Han}]+|)"
    R"([^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kPunctuationAndNewLinesApart =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|)"
    R"(\s+(?!\S)|\s+)";
constexpr std::string_view kScriptsApart =
    R"([\x{ac00}-\x{d7a3}\x{3131}-\x{318e}]+|)"
    R"([\x{ff01}\x{2026}\x{201c}\x{201d}\x{2018}\x{2019}\x{2014}\x{ff1a}\x{ff1b}\x{ff0c}\x{3001}-\x{303f}\x{fe30}-\x{fe4f}]+|)"
    R"([\x{3105}-\x{312f}]+|[\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)";
constexpr std::string_view kThreeDigits = R"(\p{N}{1,3})", kOneDigit = R"(\p{N})";
constexpr std::string_view kChineseAndJapanese = "[一-龥\u3040-ゟ゠-ヿ]+";
constexpr std::string_view kWidePunctuation =
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)";
constexpr std::string_view kIdeographs = R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)";

struct Cut {
  constexpr Cut() = default;
  constexpr Cut(const char* matches) : pattern(matches) {}
  constexpr Cut(std::string_view matches, SplitStep::Behavior what = SplitStep::Behavior::isolated)
      : pattern(matches), behavior(what) {}
  std::string_view pattern;  // "": none
  SplitStep::Behavior behavior = SplitStep::Behavior::isolated;
};

struct Recipe {
  std::array<std::string_view, 10> names;  // as in GGUF's tokenizer.ggml.pre
  std::array<Cut, 6> cuts;
  bool is_normalized = false;  // to form C
  bool ignore_merges = false;
};

constexpr Cut kLines = {R"((?:\r?\n)+(?!\r?\n))", SplitStep::Behavior::merged_with_next};

// The patterns are those of each model's tokenizer.json, which the names stand for.
const Recipe kRecipes[] = {
    {{"default", "gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "exaone4", "jais", "trillion", "granite-docling"},
     {kGpt2Pattern}},
    {{"mpt", "olmo", "modern-bert"}, {kGpt2Pattern}, true},
    {{"smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"}, {kOneDigit, kGpt2Pattern}},
    {{"command-r"}, {kOneDigit, kGpt2Pattern}, true},
    {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"},
     {kDigitsByThree},
     false,
     true},
    {{"glm4", "chatglm-bpe"}, {kDigitsByThree}, false, true},
    {{"smaug-bpe", "dbrx"}, {kDigitsByThree}},
    {{"jais-2"}, {kSpacesByPowers}},
    {{"minicpm5"}, {kThreeDigits, kDigitsTogether}, false, true},
    {{"qwen2", "megrez", "f2llmv2"}, {kDigitsByOne}, true},
    {{"deepseek-r1-qwen", "kormo", "stablelm2", "hunyuan", "solar-open", "grok-2"}, {kDigitsByOne}},
    {{"qwen35"}, {kMarksAreLetters}, true},
    {{"laguna"}, {kLines, kDigitsByOne}},
    {{"ufakzeka"}, {kNoContractions}},
    {{"seed-coder"}, {kNewLinesApart}},
    {{"bailingmoe", "bailingmoe2", "llada-moe"}, {kNewLinesOneByOne}},
    {{"exaone-moe"}, {kWordsWithSpaces}},
    {{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {kCasedWords}, false, true},
    {{"tekken"}, {kCasedWordsOnly}, false, true},
    {{"kimi-k2"}, {kCasedWordsAndHan}, false, true},
    {{"youtu"}, {kScriptsApart, kCasedWordsByOne}, false, true},
    {{"bloom", "poro-chat", "gpt3-finnish"}, {kUpToPunctuation}},
    {{"viking"}, {kUpToPunctuation, kOneDigit}},
    {{"superbpe"}, {R"(\p{N}+)", R"((?=(\d{3})+(?!\d)))"}},
    {{"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, {kThreeDigits, kChineseAndJapanese, kPunctuationApart}},
    {{"spark2_5"}, {kThreeDigits, kChineseAndJapanese, kPunctuationAndNewLinesApart, kOneDigit}},
    {{"deepseek-llm"}, {R"([\r\n])", kCasedLetters, kWidePunctuation, R"(\s+$)", kIdeographs, R"(\p{N})"}},
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
  for (const Cut& cut : recipe->cuts)
    if (!cut.pattern.empty()) rules.splits.push_back({.pattern = std::string(cut.pattern), .behavior = cut.behavior});
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
      // An empty match cuts; the search continues after the next character.
      from = end > begin || end == text.size() ? end : end + next_utf8(text.substr(end)).length;
      done = end;
    }
    if (done < text.size()) visit(text.substr(done), false);
  }

  // Joins a stretch to the one before it as the behaviour says. A piece is emitted once nothing more can join it.
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
