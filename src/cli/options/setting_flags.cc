#include "cli/options/setting_flags.h"

#include <algorithm>
#include <ranges>
#include <set>

#include "engine/engine_settings.h"
#include "engine/request_settings.h"

namespace ogas::cli {
namespace {

std::string flag_of(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

bool is_among(std::string_view flag, std::string_view flags) {
  return std::ranges::any_of(std::views::split(flags, ','),
                             [&](const auto one) { return std::string_view(one) == flag; });
}

}  // namespace

std::string all_flags(std::string_view flags, std::string_view aliases, std::string_view name) {
  std::string all(flags);
  if (!aliases.empty()) all += "," + std::string(aliases);
  const std::string own = flag_of(name);
  return is_among(own, all) ? all : all + "," + own;
}

bool is_hidden_flag(std::string_view flag) {
  static const std::set<std::string, std::less<>> hidden = [] {
    std::set<std::string, std::less<>> flags;
    const auto add = [&](const auto& setting) {
      for (const auto one : std::views::split(all_flags(setting.flags, setting.aliases, setting.name), ','))
        if (!is_among(std::string_view(one), setting.flags)) flags.emplace(std::string_view(one));
    };
    const auto add_all = [&](const auto& settings) {
      for (const auto& setting : settings)
        if (!setting.flags.empty()) add(setting);
    };
    add_all(engine_settings());
    add_all(scheduler_settings());
    add_all(request_settings());
    add_all(sampling_settings());
    return flags;
  }();
  return hidden.contains(flag);
}

}  // namespace ogas::cli
