#include "engine/embed.h"

#include <cmath>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/engine_core.h"
#include "engine/text_passes.h"

namespace ogas {
namespace {

// The texts of some passes, in rows; sums in double and in the order of tokens, so that no bit depends on the passes.
class Pool {
 public:
  Pool(Pooling pooling, std::span<const std::vector<TokenId>> texts, size_t n_embd)
      : pooling_(pooling), texts_(texts), sums_(texts.size(), std::vector<double>(n_embd)) {}

  // What has to be computed of them.
  std::vector<TextPass> passes() const {
    std::vector<TextPass> passes;
    for (const auto& text : texts_) {
      const std::span<const TokenId> tokens(text);
      passes.push_back({.tokens = pooling_ == Pooling::first ? tokens.first(1) : tokens,
                        .first_wanted = pooling_ == Pooling::last ? tokens.size() - 1 : 0});
    }
    return passes;
  }
  void add(size_t text_idx, std::span<const float> hidden) {
    for (size_t i = 0; i < hidden.size(); ++i) sums_[text_idx][i] += static_cast<double>(hidden[i]);
  }
  std::vector<float> take(size_t text_idx, bool normalize) const {
    const std::vector<double>& sum = sums_[text_idx];
    double factor = pooling_ == Pooling::mean ? 1 / static_cast<double>(texts_[text_idx].size()) : 1;
    if (normalize) {
      double squares = 0;
      for (const double x : sum) squares += x * x;
      factor = squares > 0 ? 1 / std::sqrt(squares) : 0;
    }
    std::vector<float> vector;
    vector.reserve(sum.size());
    for (const double x : sum) vector.push_back(static_cast<float>(x * factor));
    return vector;
  }

 private:
  Pooling pooling_;
  std::span<const std::vector<TokenId>> texts_;
  std::vector<std::vector<double>> sums_;  // [text][n_embd]
};

}  // namespace

std::string_view name_of(Pooling pooling) {
  switch (pooling) {
    case Pooling::last: return "last";
    case Pooling::mean: return "mean";
    case Pooling::first: return "first";
  }
  std::unreachable();
}

Result<Pooling> recommended_pooling(const TensorFile& file) {
  if (file.naming() != Naming::gguf) return Pooling::last;
  const Metadata& metadata = file.metadata();
  const std::string key = fmt::format("{}.pooling_type", OGAS_TRY(metadata.get_string_or("general.architecture", "")));
  switch (const uint64_t type = OGAS_TRY(metadata.get_uint_or(key, 0))) {
    case 0:
    case 3: return Pooling::last;
    case 1: return Pooling::mean;
    case 2: return Pooling::first;
    default:
      return fail(ErrorCode::unsupported,
                  "{} is {}; ogas knows 1 (mean), 2 (first) and 3 (last), and takes another "
                  "pooling if you name one",
                  key, type);
  }
}

Result<std::vector<std::vector<float>>> embed(Engine& engine, std::span<const std::vector<TokenId>> texts,
                                              const EmbedOptions& options, const std::stop_token& stop) {
  EngineCore& core = engine.core();
  const Pooling pooling = options.pooling ? *options.pooling : OGAS_TRY(recommended_pooling(core.model.file));
  for (size_t idx = 0; idx < texts.size(); ++idx)
    OGAS_TRY(core.model.check_tokens(texts[idx], texts.size() == 1 ? "the text" : fmt::format("text {}", idx + 1)));
  const size_t n_embd = core.facts().n_embd;
  Pool pool(pooling, texts, n_embd);
  std::vector<uint32_t> rows;
  OGAS_TRY(run_texts(core, pool.passes(), core.begin_cancellable(stop),
                     [&](const Pass& pass, std::span<const TextRow> wanted) {
                       rows.clear();
                       for (const TextRow& row : wanted) rows.push_back(row.row);
                       const auto hidden = pass.hidden_of(rows);
                       for (size_t idx = 0; idx < wanted.size(); ++idx)
                         pool.add(wanted[idx].text_idx, hidden.subspan(idx * n_embd, n_embd));
                     }));
  std::vector<std::vector<float>> vectors;
  for (size_t idx = 0; idx < texts.size(); ++idx) vectors.push_back(pool.take(idx, options.normalize));
  return vectors;
}

}  // namespace ogas
