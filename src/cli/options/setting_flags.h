// The names of settings as options of the command line.
#pragma once

#include <string>
#include <string_view>

namespace ogas::cli {

// All that a row of a table of settings is accepted by: "-c,--ctx,--ctx-size,--n-ctx". The last one is its name, which
// all faces share.
std::string all_flags(std::string_view flags, std::string_view aliases, std::string_view name);

// Whether help and completion leave it out: former spellings, and names that flags abbreviate.
bool is_hidden_flag(std::string_view flag);

}  // namespace ogas::cli
