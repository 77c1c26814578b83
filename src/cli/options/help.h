// How the command line explains itself: help texts, values that are checked, and what was wrong with a command line.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace ogas::cli {

// Options as "-n,--max-tokens N  what it does (default: 3)".
std::shared_ptr<CLI::FormatterBase> make_help_formatter();

// A check of a value, and what it must be in the message where it is not.
CLI::Validator whole_number(int64_t min, int64_t max = std::numeric_limits<int64_t>::max());
// The same, and -1 (or -2), which other programs have for no bound at all: it becomes `unbounded`. For transform().
CLI::Validator whole_number_or_unbounded(int64_t min, int64_t max, uint64_t unbounded);
CLI::Validator any_number();
CLI::Validator one_of(std::vector<std::string> names);
// The values an option chooses from, which its type name lists as "f16|f32"; empty where it is free.
std::vector<std::string> choices_of(const CLI::Option& option);

// In a sentence or two: what was wrong, what may have been meant, where to read on.
std::string explain_usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace ogas::cli
