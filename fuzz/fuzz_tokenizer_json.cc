// Any bytes as a tokenizer.json, up to the first zero byte, and a text: read, built, encoded and decoded. A byte-level
// tokenizer that does not normalize must give every byte back.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "files/tokenizer_json.h"
#include "text/tokenizer.h"

namespace {

bool keeps_text(const ogas::Vocab& vocab) {
  const auto removes = [](const ogas::SplitStep& step) { return step.behavior == ogas::SplitStep::Behavior::removed; };
  // White space that belongs to an added token is lost once it is an id.
  const auto takes_blanks = [](const ogas::AddedToken& token) { return token.takes_left || token.takes_right; };
  return vocab.model == ogas::TokenizerModel::byte_level_bpe && vocab.rules->normalizer.empty() &&
         vocab.rules->preparation.empty() && !vocab.unknown && std::ranges::none_of(vocab.rules->splits, removes) &&
         std::ranges::none_of(vocab.added, takes_blanks);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), input.size());
  const std::string_view text = input.substr(std::min(zero + 1, input.size()));
  auto vocab = ogas::read_tokenizer_json(input.substr(0, zero), text);
  if (!vocab) vocab = ogas::read_tokenizer_json(input.substr(0, zero));
  if (!vocab) return 0;
  bool exact = keeps_text(*vocab);
  const auto tokenizer = ogas::Tokenizer::create(*std::move(vocab));
  if (!tokenizer) return 0;
  // The vocabulary may lack bytes.
  for (const char c : text) exact = exact && !(*tokenizer)->encode({&c, 1}).empty();
  for (const bool parse_special : {false, true}) {
    const auto ids = (*tokenizer)->encode(text, {.parse_special = parse_special, .add_special = parse_special});
    const std::string back = (*tokenizer)->decode_text(ids);
    if (exact && !parse_special && back != text) std::abort();
    ogas::StreamDecoder decoder(**tokenizer);
    std::string streamed;
    for (const ogas::TokenId id : ids) streamed += decoder.push(id);
    streamed += decoder.flush();
  }
  return 0;
}
