#include "engine/text_passes.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace ogas {
namespace {

// The texts in their order, each from where the last pass left it: at most one is unfinished between passes.
class Texts {
 public:
  Texts(EngineCore& core, std::span<const TextPass> texts) : core_(core), texts_(texts) { skip_empty(); }

  bool done() const { return text_idx_ == texts_.size(); }

  // What the next pass computes. Errors: out_of_memory, where not even a part of one text fits.
  Result<> fill() {
    parts_.clear();
    rows_.clear();
    finished_.clear();
    size_t n_tokens = 0;
    uint64_t n_bytes = 0;
    while (!done() && n_tokens < core_.options().n_batch) {
      const TextPass& text = texts_[text_idx_];
      KvSequence& kv = sequence_of(text);
      const size_t n = std::min(core_.options().n_batch - n_tokens, text.tokens.size() - n_done_);
      n_bytes += kv.prepare_to_extend(n);
      if (auto reserved = core_.kv.reserve(n_bytes); !reserved) {
        if (parts_.empty()) return reserved;
        return {};  // when the texts of this pass have given theirs back
      }
      parts_.push_back({.tokens = text.tokens.subspan(n_done_, n), .kv = &kv, .kind = RowKind::prefill, .n_logits = 0});
      for (size_t idx = std::max(n_done_, text.first_wanted); idx < n_done_ + n; ++idx)
        rows_.push_back({text_idx_, idx, static_cast<uint32_t>(n_tokens + idx - n_done_)});
      n_tokens += n;
      n_done_ += n;
      if (n_done_ == text.tokens.size()) finish_text();
    }
    return {};
  }

  std::span<const BatchPart> parts() const { return parts_; }
  std::span<const TextRow> rows() const { return rows_; }

 private:
  KvSequence& sequence_of(const TextPass& text) {
    if (text.kv) return *text.kv;
    if (!own_) {
      own_ = std::make_unique<KvSequence>(core_.kv.cache());
      if (text.after) own_->fork(*text.after);
    }
    return *own_;
  }

  void finish_text() {
    if (own_) finished_.push_back(std::move(own_));
    n_done_ = 0;
    ++text_idx_;
    skip_empty();
  }

  void skip_empty() {
    while (!done() && texts_[text_idx_].tokens.empty()) ++text_idx_;
  }

  EngineCore& core_;
  std::span<const TextPass> texts_;
  size_t text_idx_ = 0, n_done_ = 0;                   // tokens of this text that are computed
  std::unique_ptr<KvSequence> own_;                    // this text's
  std::vector<std::unique_ptr<KvSequence>> finished_;  // with the pass that is filled
  std::vector<BatchPart> parts_;
  std::vector<TextRow> rows_;
};

}  // namespace

Result<> run_texts(EngineCore& core, std::span<const TextPass> texts, IsCancelled is_cancelled,
                   const TakeTextRows& take) {
  for (Texts rest(core, texts); !rest.done();) {
    if (is_cancelled()) return fail(ErrorCode::cancelled, "cancelled");
    OGAS_TRY(rest.fill());
    const Pass pass = OGAS_TRY(core.runner.forward(rest.parts()));
    if (!rest.rows().empty()) take(pass, rest.rows());
  }
  return {};
}

Result<> run_texts_to_logits(EngineCore& core, std::span<const TextPass> texts, IsCancelled is_cancelled,
                             const TakeTextLogits& take) {
  std::vector<uint32_t> rows;
  return run_texts(core, texts, is_cancelled, [&](const Pass& pass, std::span<const TextRow> wanted) {
    rows.clear();
    for (const TextRow& row : wanted) rows.push_back(row.row);
    core.runner.for_logits_of(pass, rows, [&](size_t idx, std::span<const float> logits) {
      take(wanted[idx].text_idx, wanted[idx].token_idx, logits);
    });
  });
}

}  // namespace ogas
