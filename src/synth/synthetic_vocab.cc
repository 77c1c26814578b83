#include "synth/synthetic_vocab.h"

#include <array>
#include <string>
#include <vector>

#include "base/check.h"

namespace ogas {
namespace {

// How byte-level BPE spells bytes: printable ones of Latin-1 as themselves, the others as U+0100 and on (GPT-2).
std::string spell_byte(unsigned byte) {
  const auto is_printable = [](unsigned b) { return (b >= 33 && b <= 126) || (b >= 161 && b != 173); };
  unsigned letter = byte;
  if (!is_printable(byte)) {
    letter = 256;
    for (unsigned b = 0; b < byte; ++b) letter += is_printable(b) ? 0 : 1;
  }
  if (letter < 128) return {static_cast<char>(letter)};
  return {static_cast<char>(0xc0 | letter >> 6), static_cast<char>(0x80 | (letter & 63))};
}

constexpr std::array<std::string_view, 4> kSpecial = {"<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>",
                                                      "<|im_end|>"};
constexpr int32_t kNormal = 1, kControl = 3;  // tokenizer.ggml.token_type

constexpr std::string_view kChatMl =
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

class Words {
 public:
  explicit Words(size_t n) : n_(n) {
    for (unsigned byte = 0; byte < 256; ++byte) tokens.push_back(spell_byte(byte));
    const std::string space = spell_byte(' ');
    std::vector<std::string> letters, pairs;
    for (const char letter : std::string_view("etaoinshrdlcumwfgypbvkjxqz")) letters.emplace_back(1, letter);
    for (const std::string& letter : letters) merge(space, letter);
    for (const std::string& first : letters)
      for (const std::string& second : letters) merge(first, second), pairs.push_back(first + second);
    for (const std::string& pair : pairs) merge(space + pair[0], pair.substr(1));
    for (const std::string& pair : pairs)
      for (const std::string& letter : letters) merge(pair, letter), merge(space + pair, letter);
    for (const std::string& first : pairs)
      for (const std::string& second : pairs) merge(first, second);
  }

  std::vector<std::string> tokens, merges;

 private:
  void merge(const std::string& left, const std::string& right) {
    if (tokens.size() >= n_) return;
    tokens.push_back(left + right);
    merges.push_back(left + " " + right);
  }

  size_t n_;
};

}  // namespace

void add_synthetic_vocab(GgufWriter& out, uint32_t n_vocab, std::string_view pre) {
  OGAS_CHECK(n_vocab >= 300 && n_vocab <= 400'000, "a vocabulary of {} tokens", n_vocab);
  const auto n_words = static_cast<uint32_t>(n_vocab - kSpecial.size());
  Words words(n_words);
  std::vector<int32_t> kinds(n_words, kNormal);
  for (const std::string_view special : kSpecial) {
    words.tokens.emplace_back(special);
    kinds.push_back(kControl);
  }
  out.add_string("tokenizer.ggml.model", "gpt2");
  out.add_string("tokenizer.ggml.pre", pre);
  out.add_strings("tokenizer.ggml.tokens", words.tokens);
  out.add_ints("tokenizer.ggml.token_type", kinds);
  out.add_strings("tokenizer.ggml.merges", words.merges);
  out.add_uint("tokenizer.ggml.bos_token_id", n_words);
  out.add_uint("tokenizer.ggml.eos_token_id", n_words + 3);
  out.add_bool("tokenizer.ggml.add_bos_token", false);
  out.add_string("tokenizer.chat_template", kChatMl);
}

}  // namespace ogas
