// Compiles schemas with their instances, as bench/grammar_bench.py gives them, and times masks. It reads lines of JSON
// from stdin and answers each with a line of JSON:
//   {"tokenizer": PATH}             opens a tokenizer.json
//   {"schema": {...}, "instances": ["TEXT", ...], "walk": SEED, "kind": "schema" | "regex" | "gbnf"}
//       compiles, follows each instance token by token with a mask before each token, and with "walk" writes a text by
//       drawing from masks.
#include <time.h>

#include <algorithm>
#include <bit>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "files/tokenizer_json.h"
#include "grammar/matcher.h"
#include "text/tokenizer.h"

namespace {

using ogas::grammar::GrammarMatcher;
using Json = nlohmann::ordered_json;

// Time of the processor that this thread took: what else runs on the machine does not count.
double now_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}
double microseconds(double since) { return now_us() - since; }

// Draws from the tokens of a mask.
class Draw {
 public:
  Draw(const std::vector<uint32_t>& bits, std::mt19937& random) : bits_(bits), random_(random), ends_(bits.size()) {
    size_t sum = 0;
    for (size_t idx = 0; idx < bits.size(); ++idx) ends_[idx] = sum += static_cast<size_t>(std::popcount(bits[idx]));
  }
  bool empty() const { return ends_.back() == 0; }
  ogas::TokenId operator()() {
    const size_t nth = random_() % ends_.back();
    const auto idx = static_cast<size_t>(std::ranges::upper_bound(ends_, nth) - ends_.begin());
    uint32_t word = bits_[idx];
    for (size_t n = nth - (idx == 0 ? 0 : ends_[idx - 1]); n > 0; --n) word &= word - 1;
    return static_cast<ogas::TokenId>(idx * ogas::grammar::kMaskBits + static_cast<size_t>(std::countr_zero(word)));
  }

 private:
  const std::vector<uint32_t>& bits_;
  std::mt19937& random_;
  std::vector<size_t> ends_;  // by word: how many tokens there are up to its end
};

class Bench {
 public:
  Json answer(const Json& request) {
    if (request.contains("tokenizer")) return open(request["tokenizer"]);
    return run(request);
  }

 private:
  Json open(const std::string& path) {
    auto vocab = ogas::open_tokenizer_json(path);
    if (!vocab) return {{"error", vocab.error().message}};
    std::vector<ogas::TokenId> ends;
    if (vocab->eos) ends.push_back(*vocab->eos);
    auto tokenizer = ogas::Tokenizer::create(*std::move(vocab));
    if (!tokenizer) return {{"error", tokenizer.error().message}};
    tokenizer_ = *std::move(tokenizer);
    if (ends.empty()) ends.push_back(static_cast<ogas::TokenId>(tokenizer_->vocab().tokens.size() - 1));
    const auto since = now_us();
    trie_ = ogas::grammar::TokenTrie::of(*tokenizer_, ends);
    return {{"n_tokens", trie_->n_tokens()}, {"trie_us", microseconds(since)}};
  }

  ogas::Result<std::shared_ptr<const ogas::grammar::Grammar>> compile(const Json& request) {
    const std::string kind = request.value("kind", "schema");
    if (kind == "regex") return ogas::grammar::compile_regex(request["schema"].get<std::string>());
    if (kind == "gbnf") return ogas::grammar::compile_gbnf(request["schema"].get<std::string>());
    ogas::grammar::SchemaOptions options;
    options.keeps_order = request.value("keeps_order", false);
    options.has_spaces = request.value("has_spaces", true);
    return ogas::grammar::compile_json_schema(request["schema"].dump(), options);
  }

  Json run(const Json& request) {
    Json result;
    std::vector<uint32_t> bits(trie_->n_words());
    const auto since = now_us();
    const auto grammar = compile(request);
    result["compile_us"] = microseconds(since);
    if (!grammar) return {{"refused", grammar.error().message}, {"compile_us", result["compile_us"]}};
    {
      GrammarMatcher matcher(*grammar, trie_);
      if (const auto masked = matcher.mask(bits); !masked) return {{"refused", masked.error().message}};
      result["first_mask_us"] = microseconds(since);
    }
    result["instances"] = Json::array();
    result["mask_us"] = Json::array();
    if (request.contains("instances"))
      for (const auto& text : request["instances"])
        result["instances"].push_back(follow(*grammar, text.get<std::string>(), bits, result["mask_us"]));
    if (request.contains("walk")) result["walks"] = walk(*grammar, request["walk"].get<uint32_t>(), bits);
    return result;
  }

  // True if it was accepted; else why not.
  Json follow(const std::shared_ptr<const ogas::grammar::Grammar>& grammar, const std::string& text,
              std::vector<uint32_t>& bits, Json& times) {
    GrammarMatcher matcher(grammar, trie_);
    size_t at = 0;
    for (const ogas::TokenId id : tokenizer_->encode(text)) {
      const auto since = now_us();
      const auto masked = matcher.mask(bits);
      times.push_back(microseconds(since));
      if (!masked) return masked.error().message;
      const bool is_allowed = ogas::grammar::mask_has(bits, id);
      const auto accepted = matcher.accept(id);
      if (is_allowed != accepted.has_value()) return "MASK DIFFERS at byte " + std::to_string(at);
      if (!accepted) return "at byte " + std::to_string(at) + ": " + accepted.error().message;
      at += trie_->bytes_of(id).size();
    }
    if (!matcher.is_complete()) return "not complete at its end";
    return true;
  }

  // A text drawn from masks; ends as soon as possible once it has become long.
  Json walk(const std::shared_ptr<const ogas::grammar::Grammar>& grammar, uint32_t seed, std::vector<uint32_t>& bits) {
    std::mt19937 random(seed);
    GrammarMatcher matcher(grammar, trie_);
    for (int step = 0; step < 400; ++step) {
      if (const auto masked = matcher.mask(bits); !masked) return {{"error", masked.error().message}};
      Draw draw(bits, random);
      if (draw.empty()) return {{"error", "DEAD END"}, {"text", matcher.written()}};
      ogas::TokenId id = draw();
      if (matcher.is_complete() && (step > 20 || random() % 2)) return {{"text", matcher.written()}};
      // Short tokens that close things, more often than chance has them.
      if (random() % 3 == 0 || step > 60)
        for (int n_tries = 0; n_tries < 50; ++n_tries) {
          const ogas::TokenId other = draw();
          const std::string_view bytes = trie_->bytes_of(other);
          if (!bytes.empty() && (bytes[0] == '"' || bytes[0] == '}' || bytes[0] == ']')) {
            id = other;
            break;
          }
        }
      if (trie_->is_end(id)) return {{"text", matcher.written()}};
      if (const auto accepted = matcher.accept(id); !accepted)
        return {{"error", "MASK DIFFERS: " + accepted.error().message}, {"text", matcher.written()}};
    }
    return {{"cut", matcher.written()}};
  }

  std::unique_ptr<ogas::Tokenizer> tokenizer_;
  std::shared_ptr<const ogas::grammar::TokenTrie> trie_;
};

}  // namespace

int main() {
  Bench bench;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << bench.answer(Json::parse(line)).dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  return 0;
}
