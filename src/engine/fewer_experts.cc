#include "engine/fewer_experts.h"

namespace ogas {

Result<> take_fewer_experts(Model& model, const EngineOptions& options) {
  if (!options.takes_fewer_experts()) return {};
  if (model.moes().empty()) return fail(ErrorCode::usage, "this model has no experts to take fewer of");
  if (!(options.min_expert_weight >= 0 && options.min_expert_weight < 1))
    return fail(ErrorCode::usage, "min_expert_weight is {}; 0 to below 1 is expected", options.min_expert_weight);
  const uint32_t n_used = model.facts().n_expert_used;
  if (options.n_expert_used > n_used)
    return fail(ErrorCode::usage, "{} experts a token; the model was trained with {}, and fewer can be taken",
                options.n_expert_used, n_used);
  model.take_fewer_experts(options.n_expert_used > 0 ? options.n_expert_used : n_used, options.min_expert_weight);
  return {};
}

}  // namespace ogas
