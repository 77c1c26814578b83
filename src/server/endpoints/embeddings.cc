// POST /v1/embeddings
//
// Fields: input (a text, texts, tokens, or arrays of tokens), model, encoding_format ("float", "base64"), dimensions
// (only the model's own).
#include <algorithm>
#include <bit>
#include <memory>
#include <stop_token>

#include "engine/embed.h"
#include "server/endpoints/endpoints.h"
#include "server/request/read_tokens.h"
#include "server/request/request_fields.h"

namespace ogas::server {
namespace {

constexpr size_t kMaxTexts = 2048;

struct EmbeddingRequest {
  std::vector<std::vector<TokenId>> texts;
  bool base64 = false;
};

ApiResult<EmbeddingRequest> read_embedding(const Api& api, const Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  OGAS_TRY(api.check_model(fields));
  EmbeddingRequest request;
  for (PromptText& text : OGAS_TRY(read_prompts(api, fields, "input", TextKind::content, kMaxTexts)))
    request.texts.push_back(std::move(text.tokens));
  const auto format = OGAS_TRY(fields.text("encoding_format")).value_or("float");
  if (format != "float" && format != "base64")
    return refuse("encoding_format", "encoding_format is '{}', where 'float' or 'base64' is expected", format);
  request.base64 = format == "base64";
  const int64_t n_embd = api.engine.facts().n_embd;
  if (const auto n = OGAS_TRY(fields.integer("dimensions", 1, INT32_MAX)); n && *n != n_embd)
    return refuse("dimensions", "dimensions is {}, and this model's vectors have {}", *n, n_embd);
  ignore_bookkeeping(fields);
  OGAS_TRY(fields.finish());
  return request;
}

// Little-endian floats, as clients decode them.
std::string base64_of(std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    const size_t n = std::min<size_t>(3, bytes.size() - at);
    for (size_t idx = 0; idx < 3; ++idx)
      group = group << 8 | (idx < n ? static_cast<unsigned char>(bytes[at + idx]) : 0U);
    for (size_t idx = 0; idx < 4; ++idx) text += idx <= n ? kDigits[group >> (18 - 6 * idx) & 63] : '=';
  }
  return text;
}

// Text after text, each between two steps of the engine, so that others wait for one of them at most. Who has left is
// computed no further than the pass that is under way.
class EmbeddingWork : public std::enable_shared_from_this<EmbeddingWork> {
 public:
  EmbeddingWork(Api& api, const Call& call, EmbeddingRequest request)
      : api_(api), exchange_(call.exchange), client_(call.client), request_(std::move(request)) {}

  void next() {
    api_.engine_thread.post([self = shared_from_this()](Engine& engine) { self->embed_one(engine); });
  }
  void stop() { stop_.request_stop(); }

 private:
  void embed_one(Engine& engine) {
    const std::vector<TokenId>& text = request_.texts[vectors_.size()];
    auto vector = embed(engine, {&text, 1}, {}, stop_.get_token());
    if (!vector) return reply_error(*exchange_, ApiError(vector.error()));
    n_tokens_ += text.size();
    vectors_.push_back(std::move(vector->front()));
    if (vectors_.size() < request_.texts.size()) return next();
    exchange_->post([self = shared_from_this()] { self->reply(); });
  }

  void reply() {
    api_.keys.charge(client_, n_tokens_);
    Json data = Json::array();
    for (const std::vector<float>& vector : vectors_)
      data.push_back({{"object", "embedding"},
                      {"index", data.size()},
                      {"embedding", request_.base64 ? Json(base64_of(vector)) : Json(vector)}});
    reply_json(*exchange_, {{"object", "list"},
                            {"data", std::move(data)},
                            {"model", api_.model()},
                            {"usage", {{"prompt_tokens", n_tokens_}, {"total_tokens", n_tokens_}}}});
  }

  Api& api_;
  HttpExchangePtr exchange_;
  Client client_;
  EmbeddingRequest request_;
  std::vector<std::vector<float>> vectors_;
  uint64_t n_tokens_ = 0;
  std::stop_source stop_;
};

}  // namespace

ApiResult<> embeddings(Api& api, Call& call) {
  auto work = std::make_shared<EmbeddingWork>(api, call, OGAS_TRY(read_embedding(api, call)));
  call.exchange->when_gone([work] { work->stop(); });
  work->next();
  return {};
}

}  // namespace ogas::server
