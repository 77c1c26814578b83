#include "text/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/ranges.h>
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/check.h"
#include "base/quote.h"

namespace ogas {
namespace {

constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct Recipe {
  std::string_view name;
  std::array<const char*, 3> patterns;  // in order; null ends the list
  bool ignores_merges = false;
};

// By the names GGUF gives them; the patterns are those of each model's tokenizer.json.
constexpr Recipe kRecipes[] = {
    {"default", {kGpt2}},
    {"gpt-2", {kGpt2}},
    {"smollm", {R"(\p{N})", kGpt2}},
    {"llama-bpe",
     {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
     true},
    {"qwen2",
     {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
};

}  // namespace

// One compiled expression; safe to share between threads.
class PreTokenizer::Pattern {
 public:
  explicit Pattern(const char* source) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source), PCRE2_ZERO_TERMINATED,
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &offset, nullptr));
    OGAS_CHECK(code_, "pattern {} at {}: error {}", source, offset, error);
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // without JIT the interpreter gives the same matches
  }

  // Calls emit(piece) for every match and for what lies between matches.
  template <class Emit>
  void split(std::string_view text, const Emit& emit) const {
    const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    OGAS_CHECK(match, "out of memory");
    size_t done = 0;
    while (done < text.size()) {
      const int n = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), done, 0,
                                match.get(), nullptr);
      if (n < 0) break;
      const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
      OGAS_CHECK(range[1] > range[0], "a pattern matched nothing");
      if (range[0] > done) emit(text.substr(done, range[0] - done));
      emit(text.substr(range[0], range[1] - range[0]));
      done = range[1];
    }
    if (done < text.size()) emit(text.substr(done));
  }

 private:
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  std::unique_ptr<pcre2_code, Free> code_;
};

PreTokenizer::PreTokenizer() = default;
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

Result<PreTokenizer> PreTokenizer::create(std::string_view name) {
  const auto* recipe = std::ranges::find(kRecipes, name, &Recipe::name);
  if (recipe == std::end(kRecipes)) {
    std::vector<std::string_view> known;
    std::ranges::transform(kRecipes, std::back_inserter(known), &Recipe::name);
    return fail(ErrorCode::unsupported, "pre-tokenizer {} is not one ogas knows; it knows: {}", in_quotes(name),
                fmt::join(known, ", "));
  }
  PreTokenizer result;
  result.ignores_merges_ = recipe->ignores_merges;
  for (const char* pattern : recipe->patterns)
    if (pattern) result.steps_.emplace_back(pattern);
  return result;
}

void PreTokenizer::split(std::string_view text, const std::function<void(std::string_view)>& emit) const {
  split_from(0, text, emit);
}

void PreTokenizer::split_from(size_t step, std::string_view text,
                              const std::function<void(std::string_view)>& emit) const {
  if (step == steps_.size()) return emit(text);
  steps_[step].split(text, [&](std::string_view piece) { split_from(step + 1, piece, emit); });
}

}  // namespace ogas
