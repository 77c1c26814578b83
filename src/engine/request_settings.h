// One row for each option of a request but those of sampling, which have a table of their own
// (sampling/sampling_settings.h), and the one option of sampling that needs the model's tokenizer.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "engine/setting.h"
#include "sampling/sampling_settings.h"
#include "text/tokenizer.h"

namespace ogas {

using RequestSetting = SettingOf<Request>;

// In the order of help. The command line, saved conversations, requests over HTTP and their description take names,
// ranges and help from here. All are fields of ogas_generate_options.
std::span<const RequestSetting> request_settings();
// Null where there is none of this name.
const RequestSetting* find_request_setting(std::string_view name);

// The texts that break DRY's repetitions where a request names none.
std::vector<std::string> default_dry_breakers();
// Makes the tokens that contain one of these texts, none of them "", the sequence breakers. Does nothing where DRY is
// off.
void set_dry_breakers(SamplingOptions& sampling, const Tokenizer& tokenizer, std::span<const std::string> texts);

}  // namespace ogas
