#include "sampling/top_k.h"

#include <algorithm>
#include <cmath>

namespace ogas {

void find_largest(std::span<const float> logits, size_t k, std::vector<Candidate>& found) {
  found.clear();
  if (k == 0) return;
  found.reserve(std::min(2 * k, logits.size()));
  const auto drop_others = [&] {
    if (found.size() <= k) return;
    std::ranges::nth_element(found, found.begin() + static_cast<ptrdiff_t>(k - 1), is_likelier);
    found.resize(k);
  };
  // Once there are k, most logits fall to one comparison. An equal logit with a larger id does not replace one.
  float min = -INFINITY;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] > min)) continue;
    found.push_back({static_cast<TokenId>(id), logits[id]});
    if (found.size() < 2 * k && found.size() != k) continue;
    drop_others();
    min = std::ranges::min(found, {}, &Candidate::logit).logit;
  }
  drop_others();
  std::ranges::sort(found, is_likelier);
}

}  // namespace ogas
