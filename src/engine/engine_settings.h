// One row for each option of an engine. The command line takes names, ranges, defaults and help from here; a test
// compares the C API with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/options.h"

namespace ogas {

struct EngineSetting {
  // How its value is kept, and so how it is written: numbers, sizes in bytes ("4G"), one of `choices`, texts, folders.
  using Member =
      std::variant<uint32_t EngineOptions::*, float EngineOptions::*, uint64_t EngineOptions::*,
                   std::optional<uint64_t> EngineOptions::*, Format EngineOptions::*, ExpertPrefetch EngineOptions::*,
                   std::string EngineOptions::*, std::filesystem::path EngineOptions::*,
                   std::vector<std::filesystem::path> EngineOptions::*>;
  struct Range {
    uint32_t min, max;  // both included; 0 is the default in any case
  };

  std::string_view name;          // of the member and of C's field, and in messages
  Member member;                  // of EngineOptions
  std::string_view help;          // one line
  std::string_view flags = {};    // on the command line, the one that help shows first; empty: it has none of its own
  std::string_view aliases = {};  // former flags, which help does not show
  std::string_view type = {};     // of the value in help: "N", "SIZE", or its choices, "f16|f32"
  std::string_view usual = {};    // the default in help; empty: the value itself
  Range range = {1, std::numeric_limits<uint32_t>::max()};  // of whole numbers
  std::string_view c_alias = {};                            // the former name of C's field

  bool is_list() const { return std::holds_alternative<std::vector<std::filesystem::path> EngineOptions::*>(member); }
  bool is_size() const;
  // Between '|' in `type`; empty where the value is free.
  std::vector<std::string> choices() const;

  // From text, as people write it: "8", "4G", "q8_0"; of a list one more. Changes nothing on errors: usage, naming the
  // option, what was found and what is expected.
  Result<> set(EngineOptions& options, std::string_view text) const;
  // A value that did not come as text. Errors: usage, naming the option, its value and its range.
  Result<> check(const EngineOptions& options) const;
  // The other way; "" for sizes that are not set, texts and folders.
  std::string show(const EngineOptions& options) const;
};

// In the order of help. Adding an option is a row here, its member, its use, and its field in ogas.h.
std::span<const EngineSetting> engine_settings();
// Null where there is none of this name.
const EngineSetting* find_engine_setting(std::string_view name);

}  // namespace ogas
