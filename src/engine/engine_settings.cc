#include "engine/engine_settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <type_traits>
#include <utility>

#include "base/ascii.h"
#include "base/parse_number.h"
#include "base/parse_size.h"
#include "quant/format.h"

namespace ogas {
namespace {

using Values = EngineOptions;

constexpr EngineSetting kEngineSettings[] = {
    {.name = "n_ctx",
     .member = &Values::n_ctx,
     .help = "Size of the context in tokens",
     .flags = "-c,--ctx,--ctx-size",
     .type = "N",
     .usual = "the model's, or what memory allows"},
    {.name = "n_threads",
     .member = &Values::n_threads,
     .help = "Threads",
     .flags = "-t,--threads",
     .type = "N",
     .usual = "one for each core this process may use",
     .range = {1, 1024}},
    {.name = "n_batch",
     .member = &Values::n_batch,
     .help = "Maximum number of prompt tokens in a batch",
     .flags = "-b,--batch,--batch-size",
     .type = "N",
     .usual = "by the size of the model",
     .range = {1, 65536}},
    {.name = "kv_cache_type",
     .member = &Values::kv_cache_type,
     .help = "Format of the KV cache; q8_0: half the memory of f16, q4_0: a quarter",
     .flags = "--kv-cache-type",
     .aliases = "--kv-type",
     .type = "f16|bf16|f32|q8_0|q4_0",
     .c_alias = "kv_type"},
    {.name = "ram",
     .member = &Values::ram,
     .help = "Limit on memory; experts that do not fit stay on disk",
     .flags = "--ram",
     .type = "SIZE",
     .usual = "free memory"},
    {.name = "expert_cache",
     .member = &Values::expert_cache,
     .help = "Keep experts on disk, with a cache of this size in memory",
     .flags = "--expert-cache",
     .type = "SIZE",
     .usual = "only if needed"},
    {.name = "n_expert_used",
     .member = &Values::n_expert_used,
     .help = "Use N experts for each token, fewer than the model does: faster, with other answers",
     .flags = "--n-expert-used",
     .aliases = "--experts",
     .type = "N",
     .range = {1, 1024},
     .c_alias = "n_experts"},
    {.name = "min_expert_weight",
     .member = &Values::min_expert_weight,
     .help = "Skip experts whose routing weight is below P, except the best one",
     .flags = "--min-expert-weight",
     .aliases = "--min-weight",
     .type = "P",
     .c_alias = "min_weight"},
    {.name = "mirrors",
     .member = &Values::mirrors,
     .help = "Folder with a copy of the model on another disk, to read experts from both",
     .flags = "--mirror",
     .type = "FOLDER"},
    {.name = "expert_prefetch",
     .member = &Values::expert_prefetch,
     .help = "Prefetch experts predicted for the next layer; auto: if mostly predicted right",
     .flags = "--expert-prefetch",
     .aliases = "--look-ahead",
     .type = "auto|on|off"},
    {.name = "kv_budget",
     .member = &Values::kv_budget,
     .help = "Memory for the KV cache, such as 4G",
     .flags = "--kv-budget",
     .type = "SIZE",
     .usual = "half of what is free"},
    {.name = "prefix_cache",
     .member = &Values::prefix_cache,
     .help = "Disk space for the KV cache of prompts, kept over restarts; 0: none",
     .flags = "--prefix-cache",
     .type = "SIZE",
     .usual = "4G",
     .c_alias = "prefix_budget"},
    {.name = "prefix_folder", .member = &Values::prefix_folder, .help = "Folder of the KV cache of prompts"},
    {.name = "experts_folder", .member = &Values::experts_folder, .help = "Folder of the counts of used experts"},
    {.name = "chat_template", .member = &Values::chat_template, .help = "Jinja source instead of the model's own"},
};

constexpr std::pair<ExpertPrefetch, std::string_view> kPrefetch[] = {
    {ExpertPrefetch::automatic, "auto"}, {ExpertPrefetch::on, "on"}, {ExpertPrefetch::off, "off"}};

std::unexpected<Error> none_of_the_choices(const EngineSetting& setting, std::string_view text) {
  return fail(ErrorCode::usage, "{} is '{}'; one of {} is expected", setting.name, text,
              fmt::join(setting.choices(), ", "));
}

Result<> check_range(const EngineSetting& setting, uint32_t value) {
  if (value >= setting.range.min && value <= setting.range.max) return {};
  return fail(ErrorCode::usage, "{} is {}; it must lie between {} and {}", setting.name, value, setting.range.min,
              setting.range.max);
}

// One function for each type of member; the text is a value of it.
Result<> read_value(const EngineSetting& setting, std::string_view text, uint32_t& value) {
  const auto number = OGAS_TRY(parse_number<uint32_t>(setting.name, text));
  OGAS_TRY(check_range(setting, number));
  value = number;
  return {};
}

Result<> read_value(const EngineSetting& setting, std::string_view text, float& value) {
  value = OGAS_TRY(parse_number<float>(setting.name, text));
  return {};
}

Result<> read_value(const EngineSetting& setting, std::string_view text, uint64_t& value) {
  value = OGAS_TRY(parse_size(setting.name, text));
  return {};
}

Result<> read_value(const EngineSetting& setting, std::string_view text, std::optional<uint64_t>& value) {
  value = OGAS_TRY(parse_size(setting.name, text));
  return {};
}

Result<> read_value(const EngineSetting& setting, std::string_view text, Format& value) {
  const auto format = format_from_name(text);
  const std::vector<std::string> choices = setting.choices();
  if (!format || std::ranges::find(choices, lower_ascii(text)) == choices.end())
    return none_of_the_choices(setting, text);
  value = *format;
  return {};
}

Result<> read_value(const EngineSetting& setting, std::string_view text, ExpertPrefetch& value) {
  const auto* found = std::ranges::find(kPrefetch, text, [](const auto& one) { return one.second; });
  if (found == std::end(kPrefetch)) return none_of_the_choices(setting, text);
  value = found->first;
  return {};
}

Result<> read_value(const EngineSetting&, std::string_view text, std::string& value) {
  value = text;
  return {};
}

Result<> read_value(const EngineSetting&, std::string_view text, std::filesystem::path& value) {
  value = text;
  return {};
}

Result<> read_value(const EngineSetting&, std::string_view text, std::vector<std::filesystem::path>& values) {
  values.emplace_back(text);
  return {};
}

std::string show_value(uint32_t value) { return fmt::format("{}", value); }
std::string show_value(float value) { return fmt::format("{}", value); }
std::string show_value(uint64_t value) { return value == 0 ? "" : fmt::format("{}", value); }
std::string show_value(const std::optional<uint64_t>& value) { return value ? fmt::format("{}", *value) : ""; }
std::string show_value(Format value) { return lower_ascii(facts_of(value).name); }
std::string show_value(ExpertPrefetch value) {
  return std::string(std::ranges::find(kPrefetch, value, [](const auto& one) { return one.first; })->second);
}
std::string show_value(const auto&) { return {}; }

}  // namespace

bool EngineSetting::is_size() const {
  return std::holds_alternative<uint64_t EngineOptions::*>(member) ||
         std::holds_alternative<std::optional<uint64_t> EngineOptions::*>(member);
}

std::vector<std::string> EngineSetting::choices() const {
  std::vector<std::string> choices;
  if (type.find('|') == std::string_view::npos) return choices;
  for (const auto one : std::views::split(type, '|')) choices.emplace_back(std::string_view(one));
  return choices;
}

Result<> EngineSetting::set(EngineOptions& options, std::string_view text) const {
  return std::visit([&](auto where) { return read_value(*this, text, options.*where); }, member);
}

Result<> EngineSetting::check(const EngineOptions& options) const {
  const auto* whole = std::get_if<uint32_t EngineOptions::*>(&member);
  const uint32_t value = whole ? options.*(*whole) : 0;
  return value == 0 ? Result<>() : check_range(*this, value);
}

std::string EngineSetting::show(const EngineOptions& options) const {
  return std::visit([&](auto where) { return show_value(options.*where); }, member);
}

std::span<const EngineSetting> engine_settings() { return kEngineSettings; }

const EngineSetting* find_engine_setting(std::string_view name) {
  const auto* found = std::ranges::find(kEngineSettings, name, &EngineSetting::name);
  return found == std::end(kEngineSettings) ? nullptr : found;
}

}  // namespace ogas
