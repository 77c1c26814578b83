// "Did you mean": the nearest of some names.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ogas::cli {

// Letters to insert, delete, replace or swap with their neighbour to get from one to the other (Damerau 1964, each
// position edited once).
size_t edit_distance(std::string_view a, std::string_view b);

// The name nearest to `word` if it is near enough to be a slip: at most a third of the word, and at most three letters.
std::optional<std::string> closest(std::string_view word, std::span<const std::string> names);

}  // namespace ogas::cli
