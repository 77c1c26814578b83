// Anthropic's Messages API: POST /v1/messages and POST /v1/messages/count_tokens.
//
// Fields of both: model, messages, system, tools, tool_choice, thinking, output_config, context_management (only what
// changes nothing); of messages also max_tokens, stop_sequences, stream, temperature and the other ways to choose
// tokens (request_fields.cc). cache_control, metadata, service_tier and the like change nothing: prefixes are always
// cached. The headers anthropic-version, if it is there, and anthropic-beta say which fields a client knows; each field
// that is there is read or refused.
#include <utility>

#include "engine/answer_figures.h"
#include "server/answer/chat_answer.h"
#include "server/endpoints/endpoints.h"
#include "server/request/anthropic_messages.h"
#include "server/request/prompt_effect.h"
#include "server/request/request_fields.h"

namespace ogas::server {
namespace {

// What is asked of the model, and how its answer is shown.
struct MessageRequest {
  ChatRun run;
  std::vector<TokenId> prompt;
  std::optional<int64_t> thinking_budget = {};
  bool hides_thinking = false, edits_context = false;
};

// Answers are the same in both; what requests of the later one cannot have any more is still taken.
ApiResult<> check_api_version(const HttpRequest& request) {
  constexpr std::string_view kVersions[] = {"2023-06-01", "2026-10-21"};
  const std::string_view version = request.header("anthropic-version");
  if (version.empty() || std::ranges::find(kVersions, version) != std::end(kVersions)) return {};
  return refuse("", "the header anthropic-version is '{}', which is none of {}", version, fmt::join(kVersions, ", "));
}

ApiResult<> read_display(Fields& thinking, MessageRequest& asked) {
  const auto display = OGAS_TRY(thinking.text("display"));
  if (!display || *display == "summarized") return {};
  if (*display != "omitted")
    return refuse(thinking.path_of("display"), "{} is '{}', which is none of summarized, omitted",
                  thinking.path_of("display"), *display);
  asked.hides_thinking = true;
  return {};
}

// A model decides by itself whether to think, as "adaptive" asks for, unless its template has a switch.
ApiResult<> read_thinking(const Api& api, Fields& fields, MessageRequest& asked) {
  const Json* given = fields.find("thinking");
  if (!given) return {};
  Fields thinking = OGAS_TRY(Fields::of(*given, fields.path_of("thinking")));
  const std::string type = OGAS_TRY(thinking.needed_text("type"));
  const std::string name(thinking_switch(api));
  Json& variables = asked.run.input.extra;
  if (type == "adaptive") {
    if (api.engine.text().templates_mention(name)) variables[name] = true;
  } else if (type == "enabled" || type == "disabled") {
    OGAS_TRY(check_variable(api, thinking.path_of("type"), name, type == "enabled"));
    variables[name] = type == "enabled";
  } else {
    return refuse(thinking.path_of("type"), "{} is '{}', which is none of enabled, disabled, adaptive",
                  thinking.path_of("type"), type);
  }
  if (type == "enabled") {
    asked.thinking_budget = OGAS_TRY(thinking.integer("budget_tokens", 1, INT32_MAX));
    if (!asked.thinking_budget)
      return refuse(thinking.path_of("budget_tokens"), "{} is missing", thinking.path_of("budget_tokens"));
  }
  OGAS_TRY(read_display(thinking, asked));
  return thinking.finish();
}

// What templates call reasoning_effort has three degrees. "high" is what the API means where nothing is said.
ApiResult<> read_effort(const Api& api, Fields& config, Json& variables) {
  constexpr std::string_view kEfforts[] = {"low", "medium", "high", "xhigh", "max"};
  const auto effort = OGAS_TRY(config.text("effort"));
  if (!effort) return {};
  const std::string path = config.path_of("effort");
  if (std::ranges::find(kEfforts, *effort) == std::end(kEfforts))
    return refuse(path, "{} is '{}', which is none of {}", path, *effort, fmt::join(kEfforts, ", "));
  const bool has_variable = api.engine.text().templates_mention("reasoning_effort");
  if (!has_variable && *effort == "high") return {};
  const std::string wanted = *effort == "xhigh" || *effort == "max" ? "high" : *effort;
  OGAS_TRY(check_variable(api, path, "reasoning_effort", wanted));
  variables["reasoning_effort"] = wanted;
  return {};
}

ApiResult<> read_output_config(const Api& api, Fields& fields, ChatRun& run) {
  const Json* given = fields.find("output_config");
  if (!given) return {};
  Fields config = OGAS_TRY(Fields::of(*given, fields.path_of("output_config")));
  OGAS_TRY(read_effort(api, config, run.input.extra));
  run.form = OGAS_TRY(read_openai_form(config, "format"));
  return config.finish();
}

// Nothing of a conversation is left out here.
ApiResult<> read_context_management(Fields& fields, MessageRequest& asked) {
  const Json* given = fields.find("context_management");
  if (!given) return {};
  asked.edits_context = true;
  Fields management = OGAS_TRY(Fields::of(*given, fields.path_of("context_management")));
  const std::string path = management.path_of("edits");
  const Json* edits = management.find("edits");
  if (edits && !edits->is_array()) return refuse(path, "{} is {}, where an array is expected", path, kind_of(*edits));
  for (size_t idx = 0; edits && idx < edits->size(); ++idx) {
    Fields edit = OGAS_TRY(Fields::of((*edits)[idx], fmt::format("{}[{}]", path, idx)));
    const std::string type = OGAS_TRY(edit.needed_text("type"));
    const Json* keep = edit.find("keep");
    if (type != "clear_thinking_20251015" || !keep || *keep != "all")
      return refuse(edit.path(), "{} would leave out parts of the conversation, which is not done here", edit.path());
    OGAS_TRY(edit.finish());
  }
  return management.finish();
}

// What both endpoints take, and the tokens that it makes.
ApiResult<> read_common_fields(const Api& api, const Call& call, Fields& fields, MessageRequest& asked) {
  OGAS_TRY(check_api_version(call.request));
  OGAS_TRY(api.check_model(fields));
  ToolShelf shelf = OGAS_TRY(ToolShelf::read(fields));
  ChatRun& run = asked.run;
  run.input.messages = OGAS_TRY(read_conversation(api, fields, shelf));
  run.tools = OGAS_TRY(shelf.chat_tools(fields));
  run.input.tools = shelf.told(run.tools);
  OGAS_TRY(read_thinking(api, fields, asked));
  OGAS_TRY(read_output_config(api, fields, run));
  OGAS_TRY(read_context_management(fields, asked));
  if (const auto speed = OGAS_TRY(fields.text("speed")); speed && *speed != "standard")
    return refuse("speed", "speed is '{}', and only 'standard' is supported", *speed);
  fields.allow_empty({"mcp_servers"});
  fields.ignore({"cache_control", "metadata", "service_tier"});
  return {};
}

// The words that Anthropic has for it: clients look for them, and shorten the conversation then.
ApiResult<> check_prompt_length(const Api& api, size_t n_prompt) {
  const size_t n_ctx = api.engine.options().n_ctx;
  if (n_prompt <= n_ctx) return {};
  return refuse("messages", "prompt is too long: {} tokens > {} maximum", n_prompt, n_ctx);
}

// A budget beyond the context limits nothing.
ApiResult<> set_thinking_budget(const Api& api, MessageRequest& asked) {
  if (!asked.thinking_budget) return {};
  if (asked.run.request.thinking_budget >= 0)
    return refuse("thinking_budget",
                  "thinking_budget and thinking.budget_tokens are two names for one thing; one is enough");
  if (*asked.thinking_budget >= api.engine.options().n_ctx) return {};
  asked.run.request.thinking_budget = static_cast<int32_t>(*asked.thinking_budget);
  return check_thinking(api, "thinking.budget_tokens", asked.run.request);
}

ApiResult<Request> read_sampling(const Api& api, const Call& call, Fields& fields) {
  constexpr size_t kMaxStops = 16;
  if (!fields.find("max_tokens")) return refuse("max_tokens", "max_tokens is missing");
  Request request = OGAS_TRY(read_request(api, call.client, fields, {"max_tokens"}));
  std::vector<std::string> stops = OGAS_TRY(fields.texts("stop_sequences", kMaxStops));
  if (std::ranges::find(stops, "") != stops.end()) return refuse("stop_sequences", "a text of stop_sequences is empty");
  if (stops.empty()) return request;
  if (!request.stop.empty())
    return refuse("stop", "stop and stop_sequences are two names for one thing; one is enough");
  request.stop = std::move(stops);
  return request;
}

ApiResult<MessageRequest> read_message_request(const Api& api, const Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  MessageRequest asked;
  OGAS_TRY(read_common_fields(api, call, fields, asked));
  ChatRun& run = asked.run;
  run.request = OGAS_TRY(read_sampling(api, call, fields));
  run.streams = OGAS_TRY(fields.boolean("stream")).value_or(false);
  run.calls = CallDelivery::whole;  // the input of a tool is an object here, which cannot be shown in part
  run.tells_prompts = true;
  OGAS_TRY(fields.finish());
  OGAS_TRY(set_thinking_budget(api, asked));
  asked.prompt = OGAS_TRY(encode_prompt(api, run.input));
  OGAS_TRY(check_prompt_length(api, asked.prompt.size()));
  return asked;
}

HttpReply message_events_head() {
  return {.content_type = "text/event-stream", .keep_alive = event({{"type", "ping"}}, "ping")};
}

// A message is made of blocks, one open at a time, in the order that the model writes them. Events tell each step,
// whether they are sent or not.
class MessageAnswer final : public ChatAnswer {
 public:
  MessageAnswer(Api& served, const Call& call, const MessageRequest& asked)
      : ChatAnswer(served, call.exchange),
        request_id_(call.request.id),
        max_tokens_(asked.run.request.max_tokens > 0 || asked.run.request.only_prompt ? asked.run.request.max_tokens
                                                                                      : UINT32_MAX),
        streams_(asked.run.streams),
        hides_thinking_(asked.hides_thinking) {
    message_ = {{"id", new_id("msg_")},     {"type", "message"},        {"role", "assistant"},
                {"model", served.model()},  {"content", Json::array()}, {"stop_reason", nullptr},
                {"stop_sequence", nullptr}, {"usage", nullptr}};
    if (asked.edits_context) message_["context_management"] = {{"applied_edits", Json::array()}};
  }

 private:
  void begin(const AnswerStats& stats) override {
    message_["usage"] = usage_of(stats);
    if (streams_) exchange->begin_stream(message_events_head());
    tell("message_start", {{"message", message_}});
  }

  void add(size_t, const OutputPiece& piece, std::vector<DrawnToken>) override {
    if (!piece.reasoning.empty()) add_thinking(piece.reasoning);
    if (!piece.content.empty()) add_text(piece.content);
    for (const ToolCallPiece& call : piece.calls) add_call(call);
  }

  void finish(size_t, const Answer& answer) override {
    close_block();
    const std::string_view reason = stop_reason(answer);
    if (reason.empty()) return;
    message_["stop_reason"] = reason;
    if (answer.finish == FinishReason::stop_text) message_["stop_sequence"] = answer.stop_text;
    message_["usage"] = usage_of(answer.stats);
    // As a tokenizer writes it, which may take more tokens than the model did.
    const size_t n_thinking = api.engine.text().tokenizer()->encode(choices.front().reasoning).size();
    message_["usage"]["output_tokens_details"] = {
        {"thinking_tokens", std::min<size_t>(n_thinking, answer.stats.n_generated)}};
  }

  void end() override {
    if (message_["stop_reason"].is_null())
      return fail(ApiError(503, "the server ended the answer before it was whole"));
    if (!streams_) return reply_json(*exchange, message_);
    Json delta = {{"delta", {{"stop_reason", message_["stop_reason"]}, {"stop_sequence", message_["stop_sequence"]}}},
                  {"usage", message_["usage"]}};
    if (message_.contains("context_management")) delta["context_management"] = message_["context_management"];
    tell("message_delta", std::move(delta));
    tell("message_stop", Json::object());
    exchange->end_stream();
  }

  void fail(const ApiError& error) override { exchange->reply(anthropic_reply_of(error, request_id_)); }

  // Empty where none of them says it: somebody has ended the answer.
  std::string_view stop_reason(const Answer& answer) const {
    const std::string_view of_whole = choices.front().has_whole_call() ? "tool_use" : "end_turn";
    if (choices.front().has_enough) return of_whole;
    switch (answer.finish) {
      case FinishReason::stop: return of_whole;
      case FinishReason::stop_text: return "stop_sequence";
      case FinishReason::length: break;
      case FinishReason::cancelled:
      case FinishReason::deadline: return {};
    }
    return answer.tokens.size() >= max_tokens_ ? "max_tokens" : "model_context_window_exceeded";
  }

  // Nothing is written to the cache on demand, and what is written costs nothing.
  static Json usage_of(const AnswerStats& stats) {
    Json usage = {{"cache_creation_input_tokens", 0}};
    add_figures(usage, stats, &AnswerFigure::anthropic);
    return usage;
  }

  void tell(std::string_view type, Json fields) {
    if (!streams_) return;
    Json json = {{"type", type}};
    json.update(fields);
    exchange->write(event(json, type));
  }

  Json& block() { return message_["content"].back(); }
  size_t block_idx() const { return message_["content"].size() - 1; }

  void open_block(Json fields) {
    close_block();
    is_open_ = true;
    message_["content"].push_back(std::move(fields));
    tell("content_block_start", {{"index", block_idx()}, {"content_block", block()}});
  }

  void tell_delta(std::string_view type, const char* name, std::string_view text) {
    tell("content_block_delta", {{"index", block_idx()}, {"delta", {{"type", type}, {name, text}}}});
  }

  void add_text(const std::string& text) {
    if (!is_open_ || block()["type"] != "text") open_block({{"type", "text"}, {"text", ""}});
    block()["text"].get_ref<std::string&>() += text;
    tell_delta("text_delta", "text", text);
  }

  void add_thinking(const std::string& text) {
    if (!is_open_ || block()["type"] != "thinking")
      open_block({{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
    if (hides_thinking_) {
      hidden_ += text;
      return;
    }
    block()["thinking"].get_ref<std::string&>() += text;
    tell_delta("thinking_delta", "thinking", text);
  }

  void add_call(const ToolCallPiece& call) {
    const std::string id = choices.front().calls[call.index].id;
    open_block({{"type", "tool_use"},
                {"id", "toolu_" + id.substr(id.find('_') + 1)},
                {"name", call.name},
                {"input", Json::object()}});
    block()["input"] = Json::parse(call.arguments, nullptr, /*allow_exceptions=*/false);
    tell_delta("input_json_delta", "partial_json", call.arguments);
    close_block();
  }

  void close_block() {
    if (!std::exchange(is_open_, false)) return;
    if (block()["type"] == "thinking") {
      const std::string signature = signature_of(std::exchange(hidden_, {}));
      block()["signature"] = signature;
      tell_delta("signature_delta", "signature", signature);
    }
    tell("content_block_stop", {{"index", block_idx()}});
  }

  std::string request_id_;
  uint32_t max_tokens_;  // UINT32_MAX: no limit
  bool streams_, hides_thinking_, is_open_ = false;
  std::string hidden_;  // thinking of the open block
  Json message_;
};

std::string_view anthropic_type_of(unsigned status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return status < 500 ? "invalid_request_error" : "api_error";
  }
}

}  // namespace

HttpReply anthropic_reply_of(const ApiError& error, std::string_view id) {
  const Json body = {{"type", "error"},
                     {"error", {{"type", anthropic_type_of(error.status)}, {"message", error.message}}},
                     {"request_id", id}};
  return {.status = error.status, .body = to_text(body), .headers = error.headers, .event = "error"};
}

ApiResult<> create_message(Api& api, Call& call) {
  MessageRequest asked = OGAS_TRY(read_message_request(api, call));
  auto answer = std::make_unique<MessageAnswer>(api, call, asked);
  return asked.run.start_with(api, call, std::move(asked.prompt), std::move(answer), message_events_head());
}

ApiResult<> count_message_tokens(Api& api, Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  MessageRequest asked;
  OGAS_TRY(read_common_fields(api, call, fields, asked));
  OGAS_TRY(fields.finish());
  const auto prompt = OGAS_TRY(encode_prompt(api, asked.run.input));
  reply_json(*call.exchange, {{"input_tokens", prompt.size()}});
  return {};
}

}  // namespace ogas::server
