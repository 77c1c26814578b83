// Which experts a model's tokens took in earlier runs, so that the next one begins with those in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"

namespace ogas {

using ExpertCounts = std::vector<std::vector<float>>;  // [layer][expert], see ExpertCache::counts()

// None where there is no file. Errors: io; bad_file, where it is not such counts of these layers; it is to be removed
// then.
Result<ExpertCounts> read_expert_counts(const std::filesystem::path& path, const ExpertCounts& like);
// Errors: io.
Result<> write_expert_counts(const std::filesystem::path& path, const ExpertCounts& counts);

}  // namespace ogas
