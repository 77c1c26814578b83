#include "cli/chat/server_backend.h"

#include <charconv>
#include <chrono>
#include <optional>

#include "cli/report/answer_line.h"
#include "cli/terminal/reply_printer.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/terminal.h"
#include "client/chat_stream.h"
#include "client/server_error.h"

namespace ogas::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxText = size_t{64} << 20;

// "15043-1.5" to {"15043": -1.5}; the least that the API knows bans.
nlohmann::json bias_fields(const AnswerOptions& settings) {
  constexpr double kBan = -100;
  nlohmann::json biases = nlohmann::json::object();
  for (const std::string& text : settings.logit_bias) {
    const size_t sign = text.find_first_of("+-");
    const std::string number = text.substr(text[sign] == '+' ? sign + 1 : sign);
    double bias = 0;
    std::from_chars(number.data(), number.data() + number.size(), bias);
    biases[text.substr(0, sign)] = std::clamp(bias, kBan, -kBan);
  }
  for (const TokenId id : settings.request.sampling.banned_tokens) biases[std::to_string(id)] = kBan;
  return biases;
}

// A switch that is on, or a list that is not empty.
void add_field(nlohmann::json& fields, const RequestSetting& setting, const Request& request) {
  const auto add = [&](auto member) {
    const auto& value = request.*member;
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool> || std::is_same_v<Value, std::vector<std::string>>)
      if (value != Value{}) fields[std::string(setting.name)] = value;
  };
  std::visit(add, setting.member);
}

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

nlohmann::json settings_as_fields(const AnswerOptions& settings) {
  nlohmann::json fields = nlohmann::json::object();
  for (const Setting& setting : all_settings()) {
    if (!settings.given.contains(setting.name)) continue;
    if (setting.name == "seed" && settings.request.sampling.seed == SamplingOptions::kRandomSeed) continue;
    if (setting.name == "max_tokens" && settings.request.max_tokens == 0) continue;
    fields[std::string(setting.name)] = nlohmann::json::parse(show_setting(settings, setting.name), nullptr, false);
  }
  for (const RequestSetting& setting : request_settings())
    if (setting.is_in_json) add_field(fields, setting, settings.request);
  if (settings.given.contains("dry_multiplier")) fields["dry_sequence_breakers"] = settings.dry_sequence_breakers;
  if (auto biases = bias_fields(settings); !biases.empty()) fields["logit_bias"] = std::move(biases);
  return fields;
}

// An answer that is streamed: shows it, and keeps the result.
class ServerBackend::Stream {
 public:
  explicit Stream(bool hides_thinking) : printer_(hides_thinking) {}
  Result<bool> take(std::string_view data);
  Reply reply() &&;
  bool has_ended() const { return !finish_.empty(); }
  bool has_text() const { return !text_.empty(); }
  void end_line() { printer_.end_line(); }

 private:
  AnswerStats stats() const;

  std::string text_, finish_;
  std::optional<client::ChatUsage> usage_;
  size_t n_reasoning_ = 0;  // bytes
  ReplyPrinter printer_;
  Clock::time_point start_ = Clock::now();
  std::optional<Clock::time_point> first_, last_;
};

Result<bool> ServerBackend::Stream::take(std::string_view data) {
  if (data == "[DONE]") {
    if (finish_.empty()) finish_ = "stop";
    return false;
  }
  const client::ChatPiece piece = OGAS_TRY(client::read_chat_piece(data));
  if (piece.usage) usage_ = piece.usage;
  if (!piece.finish.empty()) finish_ = piece.finish;
  if (piece.content.empty() && piece.reasoning.empty()) return true;
  last_ = Clock::now();
  if (!first_) first_ = last_;
  n_reasoning_ += piece.reasoning.size();
  text_ += piece.content;
  if (text_.size() + n_reasoning_ > kMaxText) return fail(ErrorCode::io, "an answer of more than {} bytes", kMaxText);
  printer_.print(piece.reasoning, piece.content);
  return true;
}

AnswerStats ServerBackend::Stream::stats() const {
  AnswerStats stats;
  if (usage_) {
    const auto count = [](uint64_t n) { return static_cast<uint32_t>(std::min<uint64_t>(n, UINT32_MAX)); };
    stats.n_prompt = count(usage_->n_prompt);
    stats.n_cached = count(usage_->n_cached);
    stats.n_generated = count(usage_->n_generated);
  }
  if (first_) {
    stats.first_token_seconds = stats.prefill_seconds = seconds_between(start_, *first_);
    stats.decode_seconds = seconds_between(*first_, *last_);
  }
  return stats;
}

Reply ServerBackend::Stream::reply() && {
  Reply reply;
  reply.stats = stats();
  reply.line = describe_remote_answer(reply.stats);
  reply.text = std::move(text_);
  if (finish_ == "length") reply.notes.emplace_back("(cut at the longest answer: /set max_tokens, or the context)");
  if (finish_ == "content_filter") reply.notes.emplace_back("(cut by the server's filter of content)");
  return reply;
}

Result<std::unique_ptr<ServerBackend>> ServerBackend::create(std::string_view url, std::string model,
                                                             bool hides_thinking) {
  client::ServerUrl server = OGAS_TRY(client::parse_server_url(url));
  std::string key = OGAS_TRY(client::key_from_environment(server));
  const bool has_key = !key.empty();
  client::HttpClient http = OGAS_TRY(client::HttpClient::create({.key = std::move(key)}));
  std::unique_ptr<ServerBackend> backend(new ServerBackend(std::move(server), std::move(http), has_key));
  backend->model_ = std::move(model);
  backend->hides_thinking_ = hides_thinking;
  if (backend->model_.empty()) OGAS_TRY(backend->find_model());
  return backend;
}

Result<> ServerBackend::find_model() {
  const std::string url = url_.api + "/models";
  const auto list = http_.get_json(url);
  if (!list) return explain(list.error());
  const auto* data = list->is_object() && list->contains("data") ? &(*list)["data"] : nullptr;
  if (data && data->is_array() && !data->empty()) model_ = client::text_member(data->front(), "id");
  if (model_.empty())
    return fail(ErrorCode::io, "{} names no model; say which is wanted: ogas chat --server URL MODEL", url);
  return {};
}

std::unexpected<Error> ServerBackend::explain(Error error) const {
  if (error.message.contains(": status 401") || error.message.contains(": status 403"))
    error.message += has_key_ ? " (the key is that of OGAS_API_KEY or OPENAI_API_KEY)"
                              : " (no key was sent; OGAS_API_KEY or, for https, OPENAI_API_KEY holds one)";
  return std::unexpected(std::move(error));
}

std::string ServerBackend::greeting() const { return fmt::format("{} at {}", model_, url_.api); }

std::vector<std::pair<std::string, std::string>> ServerBackend::facts() const {
  return {{"model", printable_line(model_)}, {"server", url_.api}, {"key", has_key_ ? "sent" : "none"}};
}

Result<> ServerBackend::ask(const Conversation& conversation, Stream& stream) {
  nlohmann::ordered_json body = settings_as_fields(conversation.settings);
  if (!conversation.schema.empty())
    body["response_format"] = {
        {"type", "json_schema"},
        {"json_schema",
         {{"name", "schema"}, {"strict", true}, {"schema", nlohmann::ordered_json::parse(conversation.schema)}}}};
  body["model"] = model_;
  body["messages"] = conversation.all_messages();
  body["stream"] = true;
  if (asks_for_usage_) body["stream_options"] = {{"include_usage", true}};
  return http_.post_events(url_.api + "/chat/completions", body,
                           [&](std::string_view data) { return stream.take(data); });
}

Result<Reply> ServerBackend::answer(const Conversation& conversation) {
  const InterruptsAsInput interrupts;
  http_.set_interrupts({interrupts.fd()});
  Stream stream(hides_thinking_);
  auto done = ask(conversation, stream);
  if (!done && done.error().code == ErrorCode::usage && done.error().message.contains("stream_options")) {
    asks_for_usage_ = false;
    done = ask(conversation, stream);
  }
  http_.set_interrupts({});
  stream.end_line();
  const bool stopped = !done && done.error().code == ErrorCode::cancelled;
  if (!done && !stopped) return explain(done.error());
  if (stopped && !stream.has_text())
    return fail(ErrorCode::cancelled, "stopped before the answer began; the message is not kept");
  if (!stopped && !stream.has_ended()) return fail(ErrorCode::io, "{}: the answer ended before its end", url_.api);
  Reply reply = std::move(stream).reply();
  if (stopped) reply.notes.emplace_back("(stopped; what came so far stays in the conversation)");
  return reply;
}

}  // namespace ogas::cli
