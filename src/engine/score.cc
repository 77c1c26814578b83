#include "engine/score.h"

#include <algorithm>
#include <cmath>

#include "engine/engine.h"
#include "engine/engine_core.h"
#include "engine/text_passes.h"
#include "sampling/logprobs.h"

namespace ogas {
namespace {

TokenScore score_of(const LogSoftmax& softmax, std::span<const float> logits, TokenId id) {
  return {.logprob = softmax.of(logits[static_cast<size_t>(id)]), .is_greedy = softmax.likeliest() == id};
}

// The last token of a continuation is only looked up in the logits before it.
std::span<const TokenId> all_but_last(std::span<const TokenId> tokens) { return tokens.first(tokens.size() - 1); }

Result<> check_choices(const LoadedModel& model, std::span<const TokenId> context,
                       std::span<const std::vector<TokenId>> continuations) {
  OGAS_TRY(model.check_tokens(context, "the text before the continuations"));
  const size_t n_ctx = model.options.n_ctx;
  for (size_t idx = 0; idx < continuations.size(); ++idx) {
    const std::span<const TokenId> tokens = continuations[idx];
    OGAS_TRY(model.check_tokens(tokens, fmt::format("continuation {}", idx + 1)));
    const size_t n = context.size() + tokens.size() - 1;
    if (n > n_ctx)
      return fail(ErrorCode::usage,
                  "{} tokens and {} of continuation {} take {} positions, {} more than the context of {}",
                  context.size(), tokens.size(), idx + 1, n, n - n_ctx, n_ctx);
  }
  return {};
}

std::vector<TokenId> joined(std::span<const TokenId> first, std::span<const TokenId> second) {
  std::vector<TokenId> tokens(first.begin(), first.end());
  tokens.insert(tokens.end(), second.begin(), second.end());
  return tokens;
}

std::optional<TokenId> first_of_texts(const Vocab& vocab) { return vocab.bos ? vocab.bos : vocab.eos; }

}  // namespace

double Score::logprob() const {
  double sum = 0;
  for (const TokenScore& token : tokens) sum += token.logprob;
  return sum;
}

bool Score::is_greedy() const { return std::ranges::all_of(tokens, &TokenScore::is_greedy); }

double Score::perplexity() const { return std::exp(-logprob() / static_cast<double>(tokens.size())); }

Result<std::vector<Score>> score(Engine& engine, std::span<const TokenId> context,
                                 std::span<const std::vector<TokenId>> continuations, const std::stop_token& stop) {
  EngineCore& core = engine.core();
  OGAS_TRY(check_choices(core.model, context, continuations));
  const auto is_cancelled = core.begin_cancellable(stop);
  std::vector<Score> scores;
  for (const auto& tokens : continuations) scores.push_back({std::vector<TokenScore>(tokens.size())});
  if (scores.empty()) return scores;

  // The context once; a single continuation in the same pass. What its last token says is of the first of each.
  const bool is_alone = continuations.size() == 1;
  const size_t n_context = context.size();
  const std::vector<TokenId> first =
      joined(context, is_alone ? all_but_last(continuations[0]) : std::span<const TokenId>());
  KvSequence kv(core.kv.cache());
  const TextPass pass{.tokens = first, .kv = &kv, .first_wanted = n_context - 1};
  const auto take_shared = [&](size_t, size_t token_idx, std::span<const float> logits) {
    const LogSoftmax softmax(logits);
    const size_t at = token_idx + 1 - n_context;
    for (size_t idx = 0; idx < scores.size(); ++idx)
      scores[idx].tokens[at] = score_of(softmax, logits, continuations[idx][at]);
  };
  OGAS_TRY(run_texts_to_logits(core, {&pass, 1}, is_cancelled, take_shared));
  if (is_alone) return scores;

  // Each after the same part of the KV cache. The last one needs no share of its own in it.
  std::vector<TextPass> passes;
  for (const auto& tokens : continuations) passes.push_back({.tokens = all_but_last(tokens), .after = &kv});
  passes.back() = {.tokens = passes.back().tokens, .kv = &kv};
  const auto take_own = [&](size_t idx, size_t token_idx, std::span<const float> logits) {
    const size_t at = token_idx + 1;
    scores[idx].tokens[at] = score_of(LogSoftmax(logits), logits, continuations[idx][at]);
  };
  OGAS_TRY(run_texts_to_logits(core, passes, is_cancelled, take_own));
  return scores;
}

Result<Score> score_text(Engine& engine, std::span<const TokenId> tokens, const ScoreWindows& windows,
                         const std::stop_token& stop) {
  EngineCore& core = engine.core();
  const size_t n_ctx = core.options().n_ctx, n_window = windows.n_tokens > 0 ? windows.n_tokens : n_ctx;
  const size_t n_before = windows.n_before;
  if (n_window > n_ctx)
    return fail(ErrorCode::usage, "windows of {} tokens are {} more than the context of {}", n_window, n_window - n_ctx,
                n_ctx);
  if (n_before < 1 || n_before > n_window)
    return fail(ErrorCode::usage, "{} tokens before those that are scored; between 1 and the window's {} are possible",
                n_before, n_window);
  if (tokens.size() < 2) return fail(ErrorCode::usage, "a text to be scored needs a token after the first one");
  OGAS_TRY(core.model.check_vocabulary(tokens));

  // The first window has one token before those that are scored, the text's first.
  std::vector<TextPass> passes;
  std::vector<size_t> begins;
  for (size_t n_scored = 1; n_scored < tokens.size();) {
    const size_t n_max = n_scored == 1 ? n_window : n_window - n_before + 1;
    const size_t end = std::min(n_scored + n_max, tokens.size());
    const size_t begin = end - 1 - std::min(n_window, end - 1);
    passes.push_back({.tokens = tokens.subspan(begin, end - 1 - begin), .first_wanted = n_scored - 1 - begin});
    begins.push_back(begin);
    n_scored = end;
  }
  const auto is_cancelled = core.begin_cancellable(stop);
  Score score{std::vector<TokenScore>(tokens.size() - 1)};
  const auto take = [&](size_t window, size_t token_idx, std::span<const float> logits) {
    const size_t at = begins[window] + token_idx;
    score.tokens[at] = score_of(LogSoftmax(logits), logits, tokens[at + 1]);
  };
  OGAS_TRY(run_texts_to_logits(core, passes, is_cancelled, take));
  return score;
}

Result<EncodedChoices> encode_choices(const Tokenizer& tokenizer, std::string_view context,
                                      std::span<const std::string> continuations, bool parse_special) {
  const EncodeOptions encoding{.parse_special = parse_special};
  const size_t end = context.find_last_not_of(" \t\r\n\v\f") + 1;  // 0 where there is nothing else
  const std::string_view begin = context.substr(0, end), space = context.substr(end);
  EncodedChoices choices;
  if (begin.empty()) {
    const auto first = first_of_texts(tokenizer.vocab());
    if (!first)
      return fail(ErrorCode::unsupported, "the vocabulary has no token that begins a text; give a context before it");
    choices.context = {*first};
    for (const std::string& text : continuations)
      choices.continuations.push_back(tokenizer.encode(std::string(space) + text, encoding));
    return choices;
  }
  const std::vector<TokenId> alone = tokenizer.encode(begin, encoding);
  for (const std::string& text : continuations) {
    const std::string rest = std::string(space) + text;
    std::vector<TokenId> whole = tokenizer.encode(std::string(begin) + rest, encoding);
    if (std::ranges::mismatch(alone, whole).in1 == alone.end())
      whole.erase(whole.begin(), whole.begin() + std::ssize(alone));
    else
      whole = tokenizer.encode(rest, encoding);
    choices.continuations.push_back(std::move(whole));
  }
  const Vocab& vocab = tokenizer.vocab();
  if (vocab.add_bos && vocab.bos) choices.context.push_back(*vocab.bos);
  choices.context.insert(choices.context.end(), alone.begin(), alone.end());
  return choices;
}

Result<std::vector<TokenId>> encode_to_score(const Tokenizer& tokenizer, std::string_view text, bool parse_special) {
  const std::string whole(text);
  EncodedChoices choices = OGAS_TRY(encode_choices(tokenizer, "", {&whole, 1}, parse_special));
  return joined(choices.context, choices.continuations[0]);
}

}  // namespace ogas
