// How long sampling from a large vocabulary takes, by sampling options.
//
//   sampler_bench [VOCABULARY]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "measure/machine.h"
#include "sampling/logprobs.h"
#include "sampling/sampler.h"

int main(int argc, char** argv) {
  using namespace ogas;
  const size_t n_vocab = argc > 1 ? std::stoul(argv[1]) : 151'936;
  // As models have them: most within a few deviations, a handful far above.
  std::mt19937 random(1);
  std::vector<float> logits(n_vocab);
  for (float& logit : logits) logit = std::normal_distribution<float>(0, 2.5F)(random);
  for (int idx = 0; idx < 20; ++idx) logits[random() % n_vocab] = 14 + static_cast<float>(idx) / 4;
  const std::pair<const char*, SamplingOptions> settings[] = {
      {"greedy", {.temperature = 0}},
      {"default", {}},
      {"top-k 20, top-p 0.95", {.top_k = 20, .min_p = 0}},
      {"top-p 0.95", {.top_k = 0, .min_p = 0}},
      {"top-p 0.95 at 1.5", {.temperature = 1.5F, .top_k = 0, .min_p = 0}},
      {"min-p 0.05", {.top_k = 0, .top_p = 1}},
      {"all", {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0}},
      {"default, penalties", {.repetition_penalty = 1.1F, .frequency_penalty = 0.1F}},
      {"default, typical 0.9", {.typical_p = 0.9F}},
      {"typical 0.9", {.top_k = 0, .typical_p = 0.9F, .top_p = 1, .min_p = 0}},
      {"default, XTC", {.xtc_probability = 1}},
      {"all, XTC", {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .xtc_probability = 1}},
      {"default, DRY", {.dry_multiplier = 0.8F}},
      {"mirostat 2", {.mirostat = 2}},
      {"default, required", {.required_tokens = {1, 2, 3}}},
  };
  // A text of 32,768 tokens, of which every fourth repeats.
  std::vector<TokenId> sequence(32'768);
  for (TokenId& id : sequence) id = random() % 4 == 0 ? 7 : static_cast<TokenId>(random() % 5000);
  for (const auto& [name, options] : settings) {
    Sampler sampler(options);
    std::vector<double> seconds;
    for (int round = 0; round < 101; ++round) {
      const auto start = std::chrono::steady_clock::now();
      sampler.sample(logits, sequence);
      seconds.push_back(seconds_since(start));
    }
    fmt::print("{:<22} {:8.1f} us\n", name, median_of(seconds).value * 1e6);
  }
  for (const size_t n_top : {0, 20}) {
    std::vector<double> seconds;
    for (int round = 0; round < 101; ++round) {
      const auto start = std::chrono::steady_clock::now();
      logprobs_of(logits, 1, n_top);
      seconds.push_back(seconds_since(start));
    }
    fmt::print("{:<22} {:8.1f} us\n", fmt::format("logprobs, top {}", n_top), median_of(seconds).value * 1e6);
  }
}
