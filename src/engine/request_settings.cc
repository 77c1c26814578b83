#include "engine/request_settings.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "sampling/dry.h"

namespace ogas {
namespace {

constexpr int64_t kMaxUint32 = std::numeric_limits<uint32_t>::max();

constexpr RequestSetting kRequestSettings[] = {
    {.name = "max_tokens",
     .member = &Request::max_tokens,
     .help = "Maximum number of tokens to generate; -1: until the context is full (default)",
     .flags = "-n,--max-tokens,--n-predict",
     .type = "N",
     .minus_one = 0,
     .is_in_json = true,
     .json_range = {-1, kMaxUint32}},
    {.name = "stop",
     .member = &Request::stop,
     .help = "End the answer before this text; may be given several times",
     .flags = "--stop",
     .type = "TEXT",
     .is_in_json = true,
     .json_range = {0, 16}},
    {.name = "ignore_eos",
     .member = &Request::ignore_eos,
     .help = "Continue after the model ends its answer",
     .flags = "--ignore-eos",
     .is_in_json = true,
     .c_alias = "ignore_end"},
    {.name = "thinking_budget",
     .member = &Request::thinking_budget,
     .help = "Maximum number of tokens of reasoning; 0: none, -1: no limit",
     .flags = "--thinking-budget",
     .type = "N",
     .range = {-1, std::numeric_limits<int>::max()},
     .is_in_json = true,
     .json_range = {-1, std::numeric_limits<int>::max()},
     .json_alias = "thinking_token_budget"},
    {.name = "context_shift",
     .member = &Request::context_shift,
     .help = "When the context is full, drop its older half and continue",
     .flags = "--context-shift"},
    {.name = "n_keep",
     .member = &Request::n_keep,
     .help = "With --context-shift: number of first tokens that are kept",
     .flags = "--keep",
     .type = "N",
     .range = {0, kMaxUint32}},
    {.name = "priority",
     .member = &Request::priority,
     .help = "Higher ones are computed first",
     .range = {std::numeric_limits<int>::min(), std::numeric_limits<int>::max()},
     .is_in_json = true,
     .json_range = {-100, 0}},
    {.name = "client", .member = &Request::client, .help = "Clients of one priority get equal shares of the machine"},
    {.name = "deadline_seconds",
     .member = &Request::deadline_seconds,
     .help = "End the answer so long after it was asked for; 0: never"},
};

}  // namespace

std::span<const RequestSetting> request_settings() { return kRequestSettings; }

const RequestSetting* find_request_setting(std::string_view name) {
  const auto* found = std::ranges::find(kRequestSettings, name, &RequestSetting::name);
  return found == std::end(kRequestSettings) ? nullptr : found;
}

std::vector<std::string> default_dry_breakers() { return usual_dry_breakers(); }

void set_dry_breakers(SamplingOptions& sampling, const Tokenizer& tokenizer, std::span<const std::string> texts) {
  if (sampling.dry_multiplier > 0) sampling.dry_sequence_breakers = tokens_containing(tokenizer, texts);
}

}  // namespace ogas
