// Rows of tables of settings as options of the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>

#include "engine/setting.h"

namespace ogas::cli {

// A row that has flags as an option that changes `options`. Both must stay where they are until the command line is
// parsed.
template <class Options>
CLI::Option* add_setting(CLI::App& app, const SettingOf<Options>& setting, Options& options);

// A number of bytes, with a unit or without.
void add_size(CLI::App& app, const char* name, std::optional<uint64_t>& value, const char* text);

}  // namespace ogas::cli
