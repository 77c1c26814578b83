#include "engine/model_runner.h"

#include <algorithm>

namespace ogas {

Result<Pass> ModelRunner::compute(std::span<const BatchItem> items) {
  batch_.clear();
  for (const BatchItem& item : items)
    batch_.push_back({.tokens = item.tokens, .kv = &item.session->kv, .kind = item.kind, .n_logits = item.n_logits});
  auto pass = forward(batch_);
  for (const BatchItem& item : items) {
    Session& session = *item.session;
    if (pass)
      session.append(item.tokens, item.kind);
    else
      session.truncate(session.kv.rewindable_to(session.tokens.size()));
  }
  return pass;
}

Result<Pass> ModelRunner::forward(Batch batch) {
  if (model_.experts) OGAS_TRY(model_.experts->check_files());
  follow_memory_limit();
  for (const Embeddings* embeddings : model_.embeddings_on_disk) OGAS_TRY(embeddings->file()->check_unchanged());
  return model_.model->forward(*model_.exec, batch);
}

// From this many rows on, multiplying with the output matrix is about as fast as with more, and logits of the largest
// vocabularies take 40 MB.
void ModelRunner::for_logits_of(const Pass& pass, std::span<const uint32_t> rows, TakeLogits take) {
  constexpr size_t kRows = 64;
  const size_t n_vocab = model_.facts().n_vocab;
  for (size_t begin = 0; begin < rows.size(); begin += kRows) {
    const auto some = rows.subspan(begin, std::min(kRows, rows.size() - begin));
    const auto logits = pass.logits_of(some);
    model_.pool->parallel_for(some.size(),
                              [&](size_t idx, unsigned) { take(begin + idx, logits.subspan(idx * n_vocab, n_vocab)); });
  }
}

void ModelRunner::follow_memory_limit() {
  if (model_.memory_limit) model_.memory_limit->follow(*model_.experts);
}

}  // namespace ogas
