#include "arch/registry.h"

#include <algorithm>
#include <iterator>

#include "arch/llama.h"
#include "base/quote.h"

namespace ogas {
namespace {

struct Architecture {
  std::string_view name;  // general.architecture
  Result<std::unique_ptr<Model>> (*create)(const TensorFile& file);
};

constexpr Architecture kArchitectures[] = {
    {"llama", create_llama},
};

}  // namespace

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  std::ranges::transform(kArchitectures, std::back_inserter(names), &Architecture::name);
  return names;
}

Result<std::unique_ptr<Model>> create_model(const TensorFile& file) {
  const auto name = OGAS_TRY(file.metadata().get_string("general.architecture"));
  const auto* found = std::ranges::find(kArchitectures, name, &Architecture::name);
  if (found == std::end(kArchitectures))
    return fail(ErrorCode::unsupported, "architecture {} is not one ogas knows; it knows: {}", in_quotes(name),
                fmt::join(known_architectures(), ", "));
  return found->create(file);
}

}  // namespace ogas
