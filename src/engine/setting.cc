#include "engine/setting.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <concepts>
#include <ranges>
#include <type_traits>
#include <utility>

#include "base/ascii.h"
#include "base/parse_number.h"
#include "base/parse_size.h"
#include "engine/options.h"
#include "engine/request.h"

namespace ogas {
namespace {

constexpr std::pair<ExpertPrefetch, std::string_view> kPrefetch[] = {
    {ExpertPrefetch::automatic, "auto"}, {ExpertPrefetch::on, "on"}, {ExpertPrefetch::off, "off"}};

constexpr std::pair<bool, std::string_view> kSwitch[] = {{true, "true"}, {false, "false"}};

std::unexpected<Error> none_of(const std::vector<std::string>& choices, std::string_view name, std::string_view text) {
  return fail(ErrorCode::usage, "{} is '{}'; one of {} is expected", name, text, fmt::join(choices, ", "));
}

Result<> check_range(const auto& setting, int64_t value) {
  if (value >= setting.range.min && value <= setting.range.max) return {};
  return fail(ErrorCode::usage, "{} is {}; it must lie between {} and {}", setting.name, value, setting.range.min,
              setting.range.max);
}

// One function for each kind of member; the text is a value of it.
template <std::integral Number>
Result<> read_value(const auto& setting, std::string_view text, Number& value) {
  const bool has_none = setting.minus_one && (text == "-1" || text == "-2");
  const auto number =
      has_none ? static_cast<Number>(*setting.minus_one) : OGAS_TRY(parse_number<Number>(setting.name, text));
  if (!setting.minus_one || number != static_cast<Number>(*setting.minus_one)) OGAS_TRY(check_range(setting, number));
  value = number;
  return {};
}

template <std::floating_point Number>
Result<> read_value(const auto& setting, std::string_view text, Number& value) {
  value = OGAS_TRY(parse_number<Number>(setting.name, text));
  return {};
}

Result<> read_value(const auto& setting, std::string_view text, bool& value) {
  const auto* found = std::ranges::find(kSwitch, text, [](const auto& one) { return one.second; });
  if (found == std::end(kSwitch)) return none_of({"true", "false"}, setting.name, text);
  value = found->first;
  return {};
}

Result<> read_value(const auto& setting, std::string_view text, uint64_t& value) {
  value = OGAS_TRY(parse_size(setting.name, text));
  return {};
}

Result<> read_value(const auto& setting, std::string_view text, std::optional<uint64_t>& value) {
  value = OGAS_TRY(parse_size(setting.name, text));
  return {};
}

Result<> read_value(const auto& setting, std::string_view text, Format& value) {
  const auto format = format_from_name(text);
  const std::vector<std::string> choices = setting.choices();
  if (!format || std::ranges::find(choices, lower_ascii(text)) == choices.end())
    return none_of(choices, setting.name, text);
  value = *format;
  return {};
}

Result<> read_value(const auto& setting, std::string_view text, ExpertPrefetch& value) {
  const auto* found = std::ranges::find(kPrefetch, text, [](const auto& one) { return one.second; });
  if (found == std::end(kPrefetch)) return none_of(setting.choices(), setting.name, text);
  value = found->first;
  return {};
}

Result<> read_value(const auto&, std::string_view text, std::string& value) {
  value = text;
  return {};
}

Result<> read_value(const auto&, std::string_view text, std::filesystem::path& value) {
  value = text;
  return {};
}

template <class Value>
Result<> read_value(const auto&, std::string_view text, std::vector<Value>& values) {
  values.emplace_back(std::string(text));
  return {};
}

template <class Number>
  requires std::is_arithmetic_v<Number>
std::string show_value(Number value) {
  return fmt::format("{}", value);
}
std::string show_value(uint64_t value) { return value == 0 ? "" : fmt::format("{}", value); }
std::string show_value(const std::optional<uint64_t>& value) { return value ? fmt::format("{}", *value) : ""; }
std::string show_value(Format value) { return lower_ascii(facts_of(value).name); }
std::string show_value(ExpertPrefetch value) {
  return std::string(std::ranges::find(kPrefetch, value, [](const auto& one) { return one.first; })->second);
}
std::string show_value(const std::string&) { return {}; }
std::string show_value(const std::filesystem::path&) { return {}; }
template <class Value>
std::string show_value(const std::vector<Value>&) {
  return {};
}

}  // namespace

template <class Options>
std::vector<std::string> SettingOf<Options>::choices() const {
  std::vector<std::string> choices;
  if (type.find('|') == std::string_view::npos) return choices;
  for (const auto one : std::views::split(type, '|')) choices.emplace_back(std::string_view(one));
  return choices;
}

template <class Options>
Result<> SettingOf<Options>::set(Options& options, std::string_view text) const {
  return std::visit([&](auto where) { return read_value(*this, text, options.*where); }, member);
}

template <class Options>
Result<> SettingOf<Options>::check(const Options& options) const {
  return std::visit(
      [&](auto where) -> Result<> {
        using Value = std::remove_cvref_t<decltype(options.*where)>;
        if constexpr (std::is_same_v<Value, uint32_t> || std::is_same_v<Value, int>)
          if (options.*where != 0) return check_range(*this, options.*where);
        return {};
      },
      member);
}

template <class Options>
std::string SettingOf<Options>::show(const Options& options) const {
  return std::visit([&](auto where) { return show_value(options.*where); }, member);
}

template struct SettingOf<EngineOptions>;
template struct SettingOf<SchedulerOptions>;
template struct SettingOf<Request>;

}  // namespace ogas
