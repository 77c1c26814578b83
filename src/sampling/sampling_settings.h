// One row for each option of sampling. Every face takes its names, range and help from here: the command line, saved
// conversations, requests over HTTP and their description, the C API, and the messages of errors.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "sampling/sampling_options.h"

namespace ogas {

struct SamplingSetting {
  // Where its number is kept; none for lists, which each face reads in its own way.
  using Member = std::variant<std::monostate, float SamplingOptions::*, uint32_t SamplingOptions::*,
                              int32_t SamplingOptions::*, uint64_t SamplingOptions::*>;
  struct Range {
    double min, max;  // both included
  };

  std::string_view name;          // of the member, and in JSON, conversations, C and errors
  std::string_view flags;         // on the command line; the first is the one that help shows first
  std::string_view help;          // one line, as the field publishes it
  std::string_view aliases = {};  // former flags, which help does not show
  Member member = {};
  Range range = {0, std::numeric_limits<uint32_t>::max()};
  Range json_range = range;                     // of requests: OpenAI's, where that is narrower
  std::optional<uint64_t> minus_one = {};       // what -1 stands for, where other programs have it for "no limit"
  std::string_view choices = {};                // "0|2": its only values
  std::string_view json_alias = {};             // another name in requests
  std::string_view c_alias = {};                // the former name of the field of ogas_generate_options
  std::string_view hf_key = {}, gguf_key = {};  // under which publishers recommend a value; empty: they do not
  bool is_rare = false;                         // listed in a group of its own in help

  bool is_list() const { return std::holds_alternative<std::monostate>(member); }
  bool is_float() const { return std::holds_alternative<float SamplingOptions::*>(member); }
  bool is_recommended() const { return !hf_key.empty(); }

  // Errors: usage, naming the setting, its value and its range. A list is always right.
  Result<> check(const SamplingOptions& options) const;
  // From text, as people write it: "0.7", "-1". Changes nothing on errors: usage, as check(), or not a number.
  Result<> set(SamplingOptions& options, std::string_view text) const;
  // The other way; -1 where that stands for the value.
  std::string show(const SamplingOptions& options) const;
};

// In the order of help. Adding an option is a row here, its member, its use, and its field in ogas.h.
std::span<const SamplingSetting> sampling_settings();
// Null where there is none of this name.
const SamplingSetting* find_sampling_setting(std::string_view name);

}  // namespace ogas
