// What `ogas top` shows of a server: as lines for a person, and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "client/server_traffic.h"

namespace ogas::cli {

// How far back rates of tokens and replies go.
inline constexpr std::chrono::seconds kRateTime{10};

// Styled for stdout; text from the server is made printable. Lines fill n_columns columns if they can.
// with_history: with a sparkline of the rates. The history must not be empty.
std::vector<std::string> load_lines(const client::TrafficHistory& history, int n_columns, bool with_history);

nlohmann::ordered_json load_json(const client::TrafficHistory& history, std::string_view url);

// The latest n_columns values, one column each. A full block stands for `max`, or for the largest value if max is 0.
// With is_ascii, characters of ASCII that grow darker.
std::string sparkline(const std::deque<double>& values, size_t n_columns, double max = 0, bool is_ascii = false);

}  // namespace ogas::cli
