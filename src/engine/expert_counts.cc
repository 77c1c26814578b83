#include "engine/expert_counts.h"

#include <cmath>

#include "base/file.h"
#include "files/json.h"

namespace ogas {

Result<ExpertCounts> read_expert_counts(const std::filesystem::path& path, const ExpertCounts& like) {
  constexpr size_t kMaxBytes = size_t{64} << 20;
  const auto text = read_file(path, kMaxBytes);
  if (!text) return text.error().code == ErrorCode::not_found ? Result<ExpertCounts>() : std::unexpected(text.error());
  const Json json = OGAS_TRY(parse_json(*text, path.string()));
  const auto wrong = [&] {
    return fail(ErrorCode::bad_file, "{}: counts of {} layers of experts are expected, numbers from 0 on",
                path.string(), like.size());
  };
  if (!json.is_array() || json.size() != like.size()) return wrong();
  ExpertCounts counts;
  for (size_t layer = 0; layer < like.size(); ++layer) {
    if (!json[layer].is_array() || json[layer].size() != like[layer].size()) return wrong();
    auto& own = counts.emplace_back();
    for (const Json& count : json[layer]) {
      if (!count.is_number()) return wrong();
      own.push_back(count.get<float>());
      if (!std::isfinite(own.back()) || own.back() < 0) return wrong();
    }
  }
  return counts;
}

Result<> write_expert_counts(const std::filesystem::path& path, const ExpertCounts& counts) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  Json json = Json::array();
  for (const auto& layer : counts) {
    auto& own = json.emplace_back(Json::array());
    for (const float count : layer) own.push_back(std::round(count * 1000) / 1000);
  }
  return write_file_atomically(path, json.dump());
}

}  // namespace ogas
