// GET /v1/models and /v1/models/NAME
#include <algorithm>

#include "server/endpoints/endpoints.h"

namespace ogas::server {
namespace {

Json model_json(const Api& api, const std::string& name) {
  const ModelFacts& facts = api.engine.facts();
  return {{"id", name},
          {"object", "model"},
          {"created", api.created},
          {"owned_by", "ogas"},
          {"max_model_len", api.engine.options().n_ctx},
          {"meta",
           {{"n_vocab", facts.n_vocab},
            {"n_ctx_train", facts.n_ctx_train},
            {"n_embd", facts.n_embd},
            {"n_params", facts.n_params},
            {"size", api.engine.file().total_bytes()}}}};
}

}  // namespace

ApiResult<> list_models(Api& api, Call& call) {
  Json data = Json::array();
  for (const std::string& name : api.options.names) data.push_back(model_json(api, name));
  reply_json(*call.exchange, {{"object", "list"}, {"data", std::move(data)}});
  return {};
}

ApiResult<> show_model(Api& api, Call& call) {
  const std::string name = call.request.path.substr(std::string_view("/v1/models/").size());
  if (std::ranges::find(api.options.names, name) == api.options.names.end())
    return std::unexpected(ApiError(404, fmt::format("the model '{}' is not served here; '{}' is", name, api.model()),
                                    "model", "model_not_found"));
  reply_json(*call.exchange, model_json(api, name));
  return {};
}

}  // namespace ogas::server
