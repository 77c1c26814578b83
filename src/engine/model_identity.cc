#include "engine/model_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/version.h"

namespace ogas {

Result<std::string> identity_of(const TensorFile& file) {
  std::string identity;
  std::array<std::byte, 256> sample;
  for (const auto& [name, tensor] : file.tensors()) {
    identity += fmt::format("\n{} {} {}", name, facts_of(tensor.format).name, tensor.data.size());
    const size_t n = std::min(tensor.data.size(), sample.size());
    if (n == 0) continue;
    for (const size_t at : {size_t{0}, (tensor.data.size() - n) / 2, tensor.data.size() - n}) {
      OGAS_TRY(file.shard_of(tensor.data).read(tensor.data.subspan(at, n), sample));
      identity.append(reinterpret_cast<const char*>(sample.data()), n);
    }
  }
  return identity;
}

Result<std::string> identity_of_pages(const TensorFile& file, const KvIdentity& kv) {
  return fmt::format("ogas {} {} {} {} {} {} {}{}", version(), commit(), kv.kernels.name, kv.layout.describe(),
                     kv.has_panels, kv.overrides.n_expert_used, kv.overrides.min_expert_weight,
                     OGAS_TRY(identity_of(file)));
}

}  // namespace ogas
