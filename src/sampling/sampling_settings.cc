#include "sampling/sampling_settings.h"

#include <algorithm>
#include <ranges>

#include "base/parse_number.h"

namespace ogas {
namespace {

using Values = SamplingOptions;
using Range = SamplingSetting::Range;

constexpr Range kShare = {0, 1}, kFactor = {0, 100}, kOpenAiPenalty = {-2, 2};

constexpr SamplingSetting kSettings[] = {
    {.name = "temperature",
     .flags = "--temp,--temperature",
     .help = "Sampling temperature; 0 always takes the most probable token",
     .member = &Values::temperature,
     .range = kFactor,
     .json_range = {0, 2},
     .hf_key = "temperature",
     .gguf_key = "temp"},
    {.name = "top_k",
     .flags = "--top-k",
     .help = "Keep only the K most probable tokens; 0 or -1: all",
     .member = &Values::top_k,
     .minus_one = 0,
     .hf_key = "top_k",
     .gguf_key = "top_k"},
    {.name = "top_p",
     .flags = "--top-p",
     .help = "Nucleus sampling: keep the most probable tokens whose probabilities sum to P",
     .member = &Values::top_p,
     .range = kShare,
     .hf_key = "top_p",
     .gguf_key = "top_p"},
    {.name = "min_p",
     .flags = "--min-p",
     .help = "Drop tokens less probable than P times the most probable one",
     .member = &Values::min_p,
     .range = kShare,
     .hf_key = "min_p",
     .gguf_key = "min_p"},
    {.name = "repetition_penalty",
     .flags = "--repeat-penalty,--repetition-penalty",
     .help = "Divide the positive logits of repeated tokens by this; 1: off",
     .member = &Values::repetition_penalty,
     .range = {0.01, 100},
     .json_alias = "repeat_penalty",
     .hf_key = "repetition_penalty",
     .gguf_key = "penalty_repeat"},
    {.name = "frequency_penalty",
     .flags = "--frequency-penalty",
     .help = "Subtract this from a token's logit for each time it occurred; 0: off",
     .member = &Values::frequency_penalty,
     .range = {-100, 100},
     .json_range = kOpenAiPenalty},
    {.name = "presence_penalty",
     .flags = "--presence-penalty",
     .help = "Subtract this from the logits of tokens that occurred; 0: off",
     .member = &Values::presence_penalty,
     .range = {-100, 100},
     .json_range = kOpenAiPenalty},
    {.name = "repeat_last_n",
     .flags = "--repeat-last-n",
     .help = "Number of last tokens that these penalties consider; 0: off, -1: all",
     .member = &Values::repeat_last_n,
     .minus_one = Values::kWholeSequence,
     .json_alias = "penalty_window",
     .c_alias = "penalty_window"},
    {.name = "seed",
     .flags = "-s,--seed",
     .help = "Seed of the random numbers: the same seed gives the same answer; -1: random",
     .member = &Values::seed,
     .minus_one = Values::kRandomSeed},
    {.name = "typical_p",
     .flags = "--typical,--typical-p",
     .help = "Locally typical sampling, with total probability P; 1: off",
     .member = &Values::typical_p,
     .range = kShare,
     .is_rare = true},
    {.name = "xtc_probability",
     .flags = "--xtc-probability",
     .help = "XTC: chance to exclude the top choices; 0: off",
     .member = &Values::xtc_probability,
     .range = kShare,
     .is_rare = true},
    {.name = "xtc_threshold",
     .flags = "--xtc-threshold",
     .help = "XTC: minimum probability of a top choice; above 0.5: off",
     .member = &Values::xtc_threshold,
     .range = kShare,
     .is_rare = true},
    {.name = "dry_multiplier",
     .flags = "--dry-multiplier",
     .help = "DRY repetition penalty: its multiplier; 0: off",
     .member = &Values::dry_multiplier,
     .range = kFactor,
     .is_rare = true},
    {.name = "dry_base",
     .flags = "--dry-base",
     .help = "DRY: base of its growth with the length of a repetition",
     .member = &Values::dry_base,
     .range = {1, 100},
     .is_rare = true},
    {.name = "dry_allowed_length",
     .flags = "--dry-allowed-length",
     .help = "DRY: shortest repetition that is penalized, in tokens",
     .member = &Values::dry_allowed_length,
     .is_rare = true},
    {.name = "dry_penalty_last_n",
     .flags = "--dry-penalty-last-n",
     .help = "DRY: number of last tokens to scan for repetitions; 0: off, -1: all",
     .member = &Values::dry_penalty_last_n,
     .range = {-1, std::numeric_limits<int32_t>::max()},
     .c_alias = "dry_window",
     .is_rare = true},
    {.name = "dry_sequence_breakers",
     .flags = "--dry-sequence-breaker",
     .help = "DRY: a text that ends repetitions; may be given several times",
     .c_alias = "dry_breakers",
     .is_rare = true},
    {.name = "mirostat",
     .flags = "--mirostat",
     .help = "Mirostat instead of top-k, top-p, min-p, typical-p and XTC; 0: off, 2: version 2",
     .member = &Values::mirostat,
     .range = {0, 2},
     .choices = "0|2",
     .is_rare = true},
    {.name = "mirostat_tau",
     .flags = "--mirostat-ent,--mirostat-tau",
     .help = "Mirostat: target entropy (tau), in bits",
     .member = &Values::mirostat_tau,
     .range = kFactor,
     .is_rare = true},
    {.name = "mirostat_eta",
     .flags = "--mirostat-lr,--mirostat-eta",
     .help = "Mirostat: learning rate (eta)",
     .member = &Values::mirostat_eta,
     .range = kShare,
     .is_rare = true},
    {.name = "logit_bias",
     .flags = "--logit-bias",
     .help = "Add to a token's logit: 15043+1 or 15043-inf; may be given several times",
     .is_rare = true},
    {.name = "banned_tokens",
     .flags = "--ban-token",
     .help = "Never sample this token; may be given several times",
     .is_rare = true},
    {.name = "required_tokens",
     .flags = "--require-token",
     .help = "Sample such tokens only; may be given several times",
     .is_rare = true},
};

// "0|2" with another word between them.
std::string alternatives(std::string_view choices) {
  std::string text;
  for (const auto one : std::views::split(choices, '|'))
    text += (text.empty() ? "" : " or ") + std::string(std::string_view(one));
  return text;
}

bool is_among(std::string_view value, std::string_view choices) {
  return std::ranges::any_of(std::views::split(choices, '|'),
                             [&](const auto one) { return std::string_view(one) == value; });
}

Result<> check_float(const SamplingSetting& setting, float value) {
  const auto min = static_cast<float>(setting.range.min), max = static_cast<float>(setting.range.max);
  if (value >= min && value <= max) return {};  // false for NaN, too
  return fail(ErrorCode::usage, "{} is {}; it must lie between {} and {}", setting.name, value, min, max);
}

}  // namespace

Result<> SamplingSetting::check(const SamplingOptions& options) const {
  return std::visit(
      [&]<class T>(T where) -> Result<> {
        if constexpr (std::is_same_v<T, std::monostate>) {
          return {};
        } else {
          const auto value = options.*where;
          if constexpr (std::is_floating_point_v<std::remove_cv_t<decltype(value)>>) return check_float(*this, value);
          if (!choices.empty() && !is_among(fmt::format("{}", value), choices))
            return fail(ErrorCode::usage, "{} is {}; it must be {}", name, value, alternatives(choices));
          if (std::is_signed_v<decltype(value)> && static_cast<double>(value) < range.min)
            return fail(ErrorCode::usage, "{} is {}; it must be {} or more", name, value, range.min);
          return {};
        }
      },
      member);
}

Result<> SamplingSetting::set(SamplingOptions& options, std::string_view text) const {
  return std::visit(
      [&]<class T>(T where) -> Result<> {
        if constexpr (std::is_same_v<T, std::monostate>) {
          return fail(ErrorCode::usage, "{} is a list, which cannot be set here", name);
        } else {
          using Number = std::remove_reference_t<decltype(options.*where)>;
          SamplingOptions changed = options;
          if (minus_one && (text == "-1" || text == "-2"))
            changed.*where = static_cast<Number>(*minus_one);
          else
            changed.*where = OGAS_TRY(parse_number<Number>(name, text));
          OGAS_TRY(check(changed));
          options = std::move(changed);
          return {};
        }
      },
      member);
}

std::string SamplingSetting::show(const SamplingOptions& options) const {
  return std::visit(
      [&]<class T>(T where) -> std::string {
        if constexpr (std::is_same_v<T, std::monostate>) {
          return {};
        } else {
          const auto value = options.*where;
          if constexpr (std::is_unsigned_v<std::remove_cv_t<decltype(value)>>)
            if (minus_one && *minus_one != 0 && value == *minus_one) return "-1";
          return fmt::format("{}", value);
        }
      },
      member);
}

std::span<const SamplingSetting> sampling_settings() { return kSettings; }

const SamplingSetting* find_sampling_setting(std::string_view name) {
  const auto* found = std::ranges::find(kSettings, name, &SamplingSetting::name);
  return found == std::end(kSettings) ? nullptr : found;
}

}  // namespace ogas
