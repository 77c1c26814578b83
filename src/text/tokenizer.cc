#include "text/tokenizer.h"

#include "base/unicode.h"
#include "text/bpe_tokenizer.h"

namespace ogas {

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(Vocab vocab) { return BpeTokenizer::create(std::move(vocab)); }

std::string Tokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::string text;
  for (const TokenId id : ids)
    if (keep_special || !is_control(id)) text += bytes_of(id);
  return text;
}

std::string Tokenizer::decode_text(std::span<const TokenId> ids, bool keep_special) const {
  return without_added_space(decode(ids, keep_special));
}

std::string Tokenizer::decode_valid(std::span<const TokenId> ids) const {
  StreamDecoder decoder(*this);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  text += decoder.flush();
  return without_added_space(std::move(text));
}

std::string Tokenizer::without_added_space(std::string text) const {
  if (vocab().add_space_prefix && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

bool Tokenizer::is_control(TokenId id) const {
  const auto& kinds = vocab().kinds;
  return id >= 0 && static_cast<size_t>(id) < kinds.size() && kinds[static_cast<size_t>(id)] == TokenKind::control;
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {
  constexpr size_t kUsualBytes = 256;  // of a token: longer ones are rare, and allocate
  pending_.reserve(kUsualBytes);
  certain_.reserve(kUsualBytes);
}

std::string_view StreamDecoder::push(TokenId id) {
  pending_ += tokenizer_->bytes_of(id);
  certain_.clear();
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Step step = next_utf8(rest);
    if (step.kind == Utf8Kind::incomplete) break;
    certain_ += step.kind == Utf8Kind::valid ? rest.substr(0, step.length) : kReplacement;
    rest.remove_prefix(step.length);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return certain_;
}

std::string_view StreamDecoder::flush() {
  const bool unfinished = !pending_.empty();
  pending_.clear();
  return unfinished ? kReplacement : std::string_view();
}

}  // namespace ogas
