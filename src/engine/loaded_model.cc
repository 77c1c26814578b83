#include "engine/loaded_model.h"

#include "base/log.h"
#include "engine/expert_counts.h"

namespace ogas {

LoadedModel::~LoadedModel() {
  if (!experts || expert_counts_file.empty()) return;
  if (const auto written = write_expert_counts(expert_counts_file, experts->counts()); !written)
    spdlog::warn("{}", written.error().message);
}

Result<> LoadedModel::check_tokens(std::span<const TokenId> tokens, std::string_view what) const {
  if (tokens.empty()) return fail(ErrorCode::usage, "{} is empty", what);
  if (tokens.size() > options.n_ctx)
    return fail(ErrorCode::usage, "{} has {} tokens, {} more than the context of {}", what, tokens.size(),
                tokens.size() - options.n_ctx, options.n_ctx);
  return check_vocabulary(tokens);
}

Result<> LoadedModel::check_vocabulary(std::span<const TokenId> tokens) const {
  const auto n_vocab = static_cast<TokenId>(facts().n_vocab);
  for (size_t idx = 0; idx < tokens.size(); ++idx)
    if (tokens[idx] < 0 || tokens[idx] >= n_vocab)
      return fail(ErrorCode::usage, "token {} at position {}: the vocabulary has {}", tokens[idx], idx, n_vocab);
  return {};
}

}  // namespace ogas
