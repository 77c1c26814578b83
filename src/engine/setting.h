// A row of a table of settings: what one option is called on each face, and what it may be. The tables are
// engine_settings.h (how a model is loaded and shared) and request_settings.h (what is asked of it).
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "nn/expert_prefetch.h"
#include "quant/format.h"

namespace ogas {

template <class Options>
struct SettingOf {
  // How its value is kept, and so how it is written: switches, numbers, sizes in bytes ("4G"), one of `choices`, texts,
  // folders.
  using Member = std::variant<bool Options::*, int Options::*, uint32_t Options::*, float Options::*, double Options::*,
                              uint64_t Options::*, std::optional<uint64_t> Options::*, Format Options::*,
                              ExpertPrefetch Options::*, std::string Options::*, std::filesystem::path Options::*,
                              std::vector<std::string> Options::*, std::vector<std::filesystem::path> Options::*>;
  struct Range {
    int64_t min, max;  // both included
  };

  std::string_view name;          // of the member and of C's field, and in messages
  Member member;                  // of Options
  std::string_view help;          // one line
  std::string_view flags = {};    // on the command line, the one that help shows first; empty: none
  std::string_view aliases = {};  // former flags, which help does not show
  std::string_view type = {};     // of the value in help: "N", "SIZE", or its choices, "f16|f32"
  std::string_view usual = {};    // the default in help; empty: the value itself, if it is not 0
  Range range = {1, std::numeric_limits<uint32_t>::max()};  // of whole numbers; 0 is the default in any case
  std::optional<uint32_t> minus_one = {};  // what -1 stands for, where other programs have it for "no limit"
  bool is_in_json = false;                 // a field of requests over HTTP, of this name
  Range json_range = range;                // there: of whole numbers; of lists, how many texts
  std::string_view json_alias = {};        // another name there
  std::string_view c_alias = {};           // the former name of C's field

  template <class Value>
  bool holds() const {
    return std::holds_alternative<Value Options::*>(member);
  }
  bool is_flag() const { return holds<bool>(); }
  bool is_whole() const { return holds<uint32_t>() || holds<int>(); }
  bool is_list() const { return holds<std::vector<std::string>>() || holds<std::vector<std::filesystem::path>>(); }
  bool is_size() const { return holds<uint64_t>() || holds<std::optional<uint64_t>>(); }
  // Between '|' in `type`; empty where the value is free.
  std::vector<std::string> choices() const;

  // From text, as people write it: "8", "4G", "q8_0", "true"; of a list one more. Changes nothing on errors: usage,
  // naming the option, what was found and what is expected.
  Result<> set(Options& options, std::string_view text) const;
  // A value that did not come as text. Errors: usage, naming the option, its value and its range.
  Result<> check(const Options& options) const;
  // The other way; "" for sizes that are not set, lists, texts and folders.
  std::string show(const Options& options) const;
};

}  // namespace ogas
