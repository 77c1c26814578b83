#include "server/answer/token_text.h"

#include <array>
#include <cmath>

namespace ogas::server {
namespace {

// JSON has no infinity; OpenAI's API shows tokens without a probability so.
double finite(float logprob) { return std::isfinite(logprob) ? logprob : -9999.0; }

Json token_json(const Tokenizer& tokenizer, TokenId id, float logprob) {
  Json bytes = Json::array();
  for (const char c : tokenizer.bytes_of(id)) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", token_text(tokenizer, id)}, {"logprob", finite(logprob)}, {"bytes", std::move(bytes)}};
}

size_t n_characters(std::string_view text) {
  size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

}  // namespace

std::string token_text(const Tokenizer& tokenizer, TokenId id) {
  StreamDecoder decoder(tokenizer);
  std::string text(decoder.push(id));
  return text += decoder.flush();
}

Json chat_logprobs(const Tokenizer& tokenizer, std::span<const DrawnToken> tokens) {
  Json result = Json::array();
  for (const DrawnToken& drawn : tokens) {
    Json one = token_json(tokenizer, drawn.id, drawn.logprobs.chosen);
    Json& top = one["top_logprobs"] = Json::array();
    for (const TokenLogprob& other : drawn.logprobs.top) top.push_back(token_json(tokenizer, other.id, other.logprob));
    result.push_back(std::move(one));
  }
  return result;
}

void CompletionLogprobs::add(TokenId id, const Logprobs* logprobs) {
  const std::string text = token_text(*tokenizer_, id);
  tokens_.push_back(text);
  offsets_.push_back(offset_);
  offset_ += n_characters(text);
  logprobs_.push_back(logprobs ? Json(finite(logprobs->chosen)) : Json());
  if (!logprobs || logprobs->top.empty()) {
    top_.push_back(nullptr);
    return;
  }
  Json top = Json::object();
  for (const TokenLogprob& other : logprobs->top) {
    const std::string name = token_text(*tokenizer_, other.id);
    if (!top.contains(name)) top[name] = finite(other.logprob);  // of equal texts the likelier
  }
  const bool has_chosen = top.contains(text);
  if (!has_chosen) top[text] = finite(logprobs->chosen);
  top_.push_back(std::move(top));
}

Json CompletionLogprobs::take() {
  Json result = {{"tokens", std::exchange(tokens_, Json::array())},
                 {"token_logprobs", std::exchange(logprobs_, Json::array())},
                 {"top_logprobs", std::exchange(top_, Json::array())},
                 {"text_offset", std::exchange(offsets_, Json::array())}};
  return result;
}

}  // namespace ogas::server
