// One row for each option of an engine, and of how requests share it. The command line and the C API take names,
// ranges, defaults and help from here.
#pragma once

#include <span>
#include <string_view>

#include "engine/options.h"
#include "engine/setting.h"

namespace ogas {

using EngineSetting = SettingOf<EngineOptions>;
using SchedulerSetting = SettingOf<SchedulerOptions>;

// In the order of help. Adding an option is a row here, its member, its use, and its field in ogas.h.
std::span<const EngineSetting> engine_settings();
std::span<const SchedulerSetting> scheduler_settings();
// Null where there is none of this name.
const EngineSetting* find_engine_setting(std::string_view name);

}  // namespace ogas
