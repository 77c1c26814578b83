// Ollama's API, as far as programs that know no other ask for it: POST /api/chat and /api/generate, GET /api/tags,
// /api/ps and /api/version, POST /api/show.
//
// Fields of chat: model, messages, tools, stream (true), think, options; of generate: model, prompt, system, raw,
// stream, think, options. options: temperature, top_k, top_p, min_p, typical_p, seed, stop, num_predict,
// repeat_penalty, repeat_last_n, presence_penalty, frequency_penalty, mirostat, mirostat_tau, mirostat_eta; those about
// how a model is loaded (num_ctx, num_thread, ...) and keep_alive change nothing. "format" would have to be enforced,
// and is refused. A request without messages or a prompt is how clients load the model, or unload it (keep_alive 0): it
// has an empty answer at once, and the model stays where it is.
#include <chrono>

#include "base/version.h"
#include "engine/answer_figures.h"
#include "server/answer/chat_answer.h"
#include "server/endpoints/endpoints.h"
#include "server/request/prompt_effect.h"
#include "server/request/request_fields.h"

namespace ogas::server {
namespace {

// Ollama's names end in a tag: "name:latest".
ApiResult<> check_name(const Api& api, Fields& fields) {
  const auto name = OGAS_TRY(fields.text("model"));
  if (!name) return {};
  for (const std::string& served : api.options.names)
    if (*name == served || *name == served + ":latest") return {};
  return std::unexpected(
      ApiError(404, fmt::format("model '{}' not found; '{}' is served", *name, api.model()), "model"));
}

// As read_request() names them.
Json renamed_options(const Json& options) {
  constexpr std::string_view kOfLoading[] = {"num_ctx",    "num_batch", "num_gpu",          "main_gpu", "num_thread",
                                             "num_keep",   "use_mmap",  "use_mlock",        "numa",     "low_vram",
                                             "vocab_only", "f16_kv",    "penalize_newline", "tfs_z"};
  Json result = Json::object();
  for (const auto& [name, value] : options.items()) {
    if (std::ranges::find(kOfLoading, name) != std::end(kOfLoading)) continue;
    // -1: no limit; -2: until the context is full, which is the same here.
    const bool has_no_end = name == "num_predict" && value.is_number() && value.get<double>() < 0;
    if (!has_no_end) result[name == "num_predict" ? "max_tokens" : name] = value;
  }
  return result;
}

ApiResult<Request> read_options(const Api& api, const Client& client, Fields& fields) {
  const Json* given = fields.find("options");
  if (given && !given->is_object())
    return refuse("options", "options is {}, where an object is expected", kind_of(*given));
  const Json options = renamed_options(given ? *given : Json::object());
  Fields renamed = OGAS_TRY(Fields::of(options, "options"));
  Request request = OGAS_TRY(read_request(api, client, renamed, {"max_tokens"}));
  OGAS_TRY(renamed.finish());
  return request;
}

// What both kinds of requests have. Messages and tools are the kind's own.
ApiResult<ChatRun> read_common(const Api& api, const Call& call, Fields& fields) {
  ChatRun run{.calls = CallDelivery::whole};  // arguments are objects here
  OGAS_TRY(check_name(api, fields));
  run.request = OGAS_TRY(read_options(api, call.client, fields));
  run.streams = OGAS_TRY(fields.boolean("stream")).value_or(true);
  run.form = OGAS_TRY(read_ollama_form(fields));
  if (const Json* think = fields.find("think")) {
    if (!think->is_boolean() && !think->is_string())
      return refuse("think", "think is {}, where a boolean or a string is expected", kind_of(*think));
    const std::string name(think->is_string() ? "reasoning_effort" : thinking_switch(api));
    OGAS_TRY(check_variable(api, "think", name, *think));
    run.input.extra[name] = *think;
  }
  if (const Json* context = fields.find("context"); context && !context->empty())
    return refuse("context", "context is not supported; send the conversation as messages to /api/chat");
  fields.ignore({"keep_alive", "truncate", "shift"});
  return run;
}

void rename(const char* from, const char* to, Json& object) {
  const auto found = object.find(from);
  if (found == object.end()) return;
  Json value = std::move(*found);  // before there is another field: those move together
  object.erase(from);
  object[to] = std::move(value);
}

// Ollama's messages to OpenAI's: images are refused, arguments of calls are objects, "thinking" is the reasoning.
ApiResult<Json> read_ollama_messages(Fields& fields) {
  const Json* given = fields.find("messages");
  Json messages = Json::array();
  if (!given) return messages;
  if (!given->is_array())
    return refuse("messages", "messages is {}, where an array of messages is expected", kind_of(*given));
  for (size_t idx = 0; idx < given->size(); ++idx) {
    Json message = (*given)[idx];
    const std::string path = fmt::format("messages[{}]", idx);
    if (message.is_object()) {
      if (const auto images = message.find("images"); images != message.end() && !images->is_null() && !images->empty())
        return refuse(path + ".images", "this model takes text only");
      message.erase("images");
      rename("thinking", "reasoning_content", message);
      rename("tool_name", "name", message);
    }
    messages.push_back(OGAS_TRY(read_message(message, path)));
  }
  return messages;
}

// "keep_alive" 0 in seconds, as a number or as a duration ("0", "0s", "0m0s").
bool is_zero_time(const Json* keep_alive) {
  if (!keep_alive) return false;
  if (keep_alive->is_number()) return keep_alive->get<double>() == 0;
  if (!keep_alive->is_string()) return false;
  const auto& text = keep_alive->get_ref<const std::string&>();
  return text.contains('0') && text.find_first_of("123456789") == std::string::npos;
}

enum class Kind : bool { chat, generate };

// The empty answer to a request that only loads or unloads the model.
ApiResult<> reply_to_loading(const Api& api, const Call& call, Kind kind, bool unloads) {
  Json json = {{"model", api.model()}, {"created_at", time_text(unix_time())}};
  if (kind == Kind::chat)
    json["message"] = {{"role", "assistant"}, {"content", ""}};
  else
    json["response"] = "";
  json["done"] = true;
  json["done_reason"] = unloads ? "unload" : "load";
  reply_json(*call.exchange, json);
  return {};
}

class OllamaAnswer final : public ChatAnswer {
 public:
  OllamaAnswer(Api& served, const Call& call, Kind kind, bool streams)
      : ChatAnswer(served, call.exchange), kind_(kind), streams_(streams), received_(call.received) {}

  static HttpReply stream_head() { return {.content_type = "application/x-ndjson"}; }

 private:
  void add(size_t, const OutputPiece& piece, std::vector<DrawnToken>) override {
    if (!streams_ || (piece.content.empty() && piece.reasoning.empty())) return;
    exchange->begin_stream(stream_head());
    exchange->write(to_text(part(piece.content, piece.reasoning, false)) + "\n");
  }

  void finish(size_t, const Answer& answer) override {
    const ChatChoice& choice = choices.front();
    last_ = streams_ ? part("", "", true) : part(choice.content, choice.reasoning, true);
    for (const ChatCall& call : choice.calls)
      last_["message"]["tool_calls"].push_back(
          {{"function",
            {{"name", call.name}, {"arguments", Json::parse(call.arguments, nullptr, /*allow_exceptions=*/false)}}}});
    const auto nanoseconds = [](double seconds) { return static_cast<int64_t>(seconds * 1e9); };
    last_["done_reason"] = choice.is_cut(answer) ? "length" : "stop";
    last_["total_duration"] =
        nanoseconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - received_).count());
    last_["load_duration"] = 0;
    add_figures(last_, answer.stats, &AnswerFigure::ollama);
  }

  void end() override {
    if (!streams_) return reply_json(*exchange, last_);
    exchange->begin_stream(stream_head());
    exchange->write(to_text(last_) + "\n");
    exchange->end_stream();
  }

  void fail(const ApiError& error) override { exchange->reply(ollama_reply_of(error)); }

  Json part(std::string_view content, std::string_view thinking, bool is_done) const {
    Json json = {{"model", api.model()}, {"created_at", time_text(unix_time())}};
    if (kind_ == Kind::chat) {
      json["message"] = {{"role", "assistant"}, {"content", content}};
      if (!thinking.empty()) json["message"]["thinking"] = thinking;
    } else {
      json["response"] = content;
      if (!thinking.empty()) json["thinking"] = thinking;
    }
    json["done"] = is_done;
    return json;
  }

  Kind kind_;
  bool streams_;
  std::chrono::steady_clock::time_point received_;
  Json last_;
};

// Continues a text without a template.
ApiResult<> generate_raw(Api& api, Call& call, ChatRun run, const std::string& prompt) {
  const Tokenizer& tokenizer = *OGAS_TRY(api.tokenizer());
  auto tokens = tokenizer.encode(prompt, {.parse_special = true, .add_special = true});
  OGAS_TRY(api.check_length(tokens.size(), "prompt"));
  return run.start_with(api, call, std::move(tokens),
                        std::make_unique<OllamaAnswer>(api, call, Kind::generate, run.streams),
                        OllamaAnswer::stream_head());
}

Json details_of(const Api& api) {
  const ModelFacts& facts = api.engine.facts();
  return {{"format", "gguf"},
          {"family", facts.architecture},
          {"families", {facts.architecture}},
          {"parameter_size", facts.n_params >= 1'000'000'000
                                 ? fmt::format("{:.1f}B", static_cast<double>(facts.n_params) * 1e-9)
                                 : fmt::format("{:.0f}M", static_cast<double>(facts.n_params) * 1e-6)},
          {"quantization_level", "unknown"}};
}

Json ollama_model_json(const Api& api, const std::string& name) {
  return {{"name", name},
          {"model", name},
          {"modified_at", time_text(api.created)},
          {"size", api.engine.file().total_bytes()},
          {"digest", ""},
          {"details", details_of(api)}};
}

ApiResult<> reply_models(Api& api, const Call& call) {
  Json models = Json::array();
  for (const std::string& name : api.options.names) models.push_back(ollama_model_json(api, name));
  reply_json(*call.exchange, {{"models", std::move(models)}});
  return {};
}

}  // namespace

HttpReply ollama_reply_of(const ApiError& error, std::string_view) {
  HttpReply reply = reply_of(error);
  reply.body = to_text({{"error", error.message}});
  return reply;
}

ApiResult<> ollama_chat(Api& api, Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  ChatRun run = OGAS_TRY(read_common(api, call, fields));
  run.input.messages = OGAS_TRY(read_ollama_messages(fields));
  run.tools = OGAS_TRY(read_tools(fields));
  const bool unloads = is_zero_time(fields.find("keep_alive"));
  OGAS_TRY(fields.finish());
  if (run.input.messages.empty()) return reply_to_loading(api, call, Kind::chat, unloads);
  auto answer = std::make_unique<OllamaAnswer>(api, call, Kind::chat, run.streams);
  return run.start(api, call, std::move(answer), OllamaAnswer::stream_head());
}

ApiResult<> ollama_generate(Api& api, Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  ChatRun run = OGAS_TRY(read_common(api, call, fields));
  const std::string prompt = OGAS_TRY(fields.text("prompt")).value_or("");
  const std::string system = OGAS_TRY(fields.text("system")).value_or("");
  const bool raw = OGAS_TRY(fields.boolean("raw")).value_or(false);
  for (const std::string_view name : {"suffix", "template", "images"})
    if (const Json* given = fields.find(name); given && !given->empty() && *given != "")
      return refuse(name, "{} is not supported", name);
  const bool unloads = is_zero_time(fields.find("keep_alive"));
  OGAS_TRY(fields.finish());
  if (prompt.empty()) return reply_to_loading(api, call, Kind::generate, unloads);
  if (raw) return generate_raw(api, call, std::move(run), prompt);
  if (!system.empty()) run.input.messages.push_back({{"role", "system"}, {"content", system}});
  run.input.messages.push_back({{"role", "user"}, {"content", prompt}});
  run.input.path = "prompt";
  auto answer = std::make_unique<OllamaAnswer>(api, call, Kind::generate, run.streams);
  return run.start(api, call, std::move(answer), OllamaAnswer::stream_head());
}

ApiResult<> ollama_tags(Api& api, Call& call) { return reply_models(api, call); }

ApiResult<> ollama_ps(Api& api, Call& call) { return reply_models(api, call); }

// Clients compare it with the version of Ollama that has what they need: Copilot in VS Code takes 0.6.4 and newer.
// 0.9.0 is the newest all of whose answers to chats are given here ("think", calls of tools in streams).
ApiResult<> ollama_version(Api&, Call& call) {
  reply_json(*call.exchange, {{"version", "0.9.0"}, {"ogas_version", version()}});
  return {};
}

ApiResult<> ollama_show(Api& api, Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  OGAS_TRY(check_name(api, fields));
  fields.ignore({"name", "verbose"});
  OGAS_TRY(fields.finish());
  const ModelFacts& facts = api.engine.facts();
  Json capabilities = {"completion"};
  const OutputFormat& format = api.format(/*has_tools=*/false);
  if (api.engine.text().chat_template()) capabilities.push_back("tools");
  if (format.channels || !format.think_end.empty()) capabilities.push_back("thinking");
  reply_json(*call.exchange,
             {{"details", details_of(api)},
              {"template", api.engine.text().chat_template() ? api.engine.text().chat_template()->source() : ""},
              {"capabilities", std::move(capabilities)},
              {"model_info",
               {{"general.architecture", facts.architecture},
                {"general.parameter_count", facts.n_params},
                {facts.architecture + ".context_length", facts.n_ctx_train},
                {facts.architecture + ".embedding_length", facts.n_embd}}}});
  return {};
}

}  // namespace ogas::server
