#include "arch/pass.h"

#include "base/check.h"

namespace ogas {

Pass::Pass(PassSource& source, Exec& exec, size_t n_rows, std::span<const float> logits,
           std::span<const uint32_t> logits_ends)
    : source_(&source),
      exec_(&exec),
      number_(source.pass_number()),
      n_rows_(n_rows),
      logits_(logits),
      logits_ends_(logits_ends) {}

void Pass::check_current() const {
  OGAS_CHECK(number_ == source_->pass_number(), "pass {} is used after pass {} began", number_, source_->pass_number());
}

std::span<const float> Pass::logits() const {
  check_current();
  return logits_;
}

std::span<const float> Pass::logits(size_t part_idx) const {
  check_current();
  OGAS_CHECK(part_idx < logits_ends_.size(), "part {} of {}", part_idx, logits_ends_.size());
  const size_t begin = part_idx > 0 ? logits_ends_[part_idx - 1] : 0, end = logits_ends_[part_idx];
  if (begin == end) return {};
  const size_t n_vocab = logits_.size() / logits_ends_.back();
  return logits_.subspan(begin * n_vocab, (end - begin) * n_vocab);
}

std::span<const float> Pass::hidden_of(std::span<const uint32_t> rows) const {
  check_current();
  return source_->hidden_of(*exec_, rows);
}

std::span<const float> Pass::logits_of(std::span<const uint32_t> rows) const {
  check_current();
  return source_->logits_of(*exec_, rows);
}

Result<std::span<const float>> Pass::draft(std::span<const DraftPart> parts) const {
  check_current();
  return source_->draft(*exec_, parts);
}

}  // namespace ogas
