// POST /v1/responses, without memory: nothing is stored, so that every request holds its whole conversation.
//
// Fields: input (a text, or messages, calls of functions and their outputs), instructions, model, max_output_tokens,
// stream, temperature and the other ways to choose tokens (request_fields.cc), tools (functions), tool_choice ("auto",
// "none"), parallel_tool_calls, text.format, reasoning.effort, truncation ("disabled"), metadata. What needs a
// memory (previous_response_id, background, conversation) or would have to be enforced is refused.
#include "engine/answer_figures.h"
#include "server/answer/chat_answer.h"
#include "server/endpoints/endpoints.h"
#include "server/request/prompt_effect.h"
#include "server/request/request_fields.h"

namespace ogas::server {
namespace {

struct ResponseRequest {
  ChatRun run;
  Json shown;  // fields of the request that the response repeats
};

ApiResult<Json> read_function_call(Fields& item) {
  const std::string call_id = OGAS_TRY(item.needed_text("call_id"));
  const std::string name = OGAS_TRY(item.needed_text("name"));
  const std::string arguments = OGAS_TRY(item.needed_text("arguments"));
  return Json{{"role", "assistant"},
              {"content", nullptr},
              {"tool_calls",
               {{{"id", call_id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}}}}};
}

ApiResult<Json> read_item_message(Fields& item) {
  const std::string role = OGAS_TRY(item.needed_text("role"));
  const Json* content = item.find("content");
  if (!content) return refuse(item.path_of("content"), "{} is missing", item.path_of("content"));
  const std::string_view type = role == "assistant" ? "output_text" : "input_text";
  return Json{{"role", role}, {"content", OGAS_TRY(read_content(*content, item.path_of("content"), type))}};
}

// What the model thought: its own words where they are there, else the summary. Clients that got neither, or only an
// encrypted form of it, give back an item that says nothing.
ApiResult<Json> read_reasoning_item(Fields& item) {
  std::string text;
  for (const auto& [name, type] : {std::pair<std::string_view, std::string_view>{"content", "reasoning_text"},
                                   std::pair<std::string_view, std::string_view>{"summary", "summary_text"}})
    if (const Json* parts = item.find(name); parts && text.empty())
      text = OGAS_TRY(read_content(*parts, item.path_of(name), type));
  item.ignore({"encrypted_content"});
  if (text.empty()) return Json();
  return Json{{"role", "assistant"}, {"content", ""}, {"reasoning_content", std::move(text)}};
}

// One item of the input, in the chat API's words; null: it says nothing to the model.
ApiResult<Json> read_item(const Json& given, const std::string& path) {
  Fields item = OGAS_TRY(Fields::of(given, path));
  const std::string type = OGAS_TRY(item.text("type")).value_or("message");
  item.ignore({"id", "status", "phase"});
  Json message;
  if (type == "message") {
    message = OGAS_TRY(read_item_message(item));
  } else if (type == "function_call") {
    message = OGAS_TRY(read_function_call(item));
  } else if (type == "function_call_output") {
    const Json* output = item.find("output");
    if (!output) return refuse(item.path_of("output"), "{} is missing", item.path_of("output"));
    message = {{"role", "tool"},
               {"tool_call_id", OGAS_TRY(item.needed_text("call_id"))},
               {"content", OGAS_TRY(read_content(*output, item.path_of("output"), "input_text"))}};
  } else if (type == "reasoning") {
    message = OGAS_TRY(read_reasoning_item(item));
  } else {
    return refuse(item.path_of("type"), "{} is '{}', which is not supported", item.path_of("type"), type);
  }
  OGAS_TRY(item.finish());
  if (message.is_null()) return message;
  return read_message(message, path);
}

// Whether it has reasoning and nothing else yet.
bool is_only_reasoning(const Json& message) {
  return message.contains("reasoning_content") && !message.contains("tool_calls") && message["content"] == "";
}

// Items that follow each other are one message of the assistant: reasoning, then what it said, then its calls.
void add_message(Json& messages, Json message) {
  const bool follows = !messages.empty() && messages.back()["role"] == "assistant" && message["role"] == "assistant";
  if (follows && is_only_reasoning(messages.back())) {
    Json& last = messages.back();
    if (is_only_reasoning(message)) {
      last["reasoning_content"].get_ref<std::string&>() += message["reasoning_content"].get_ref<std::string&>();
      return;
    }
    message["reasoning_content"] = std::move(last["reasoning_content"]);
    last = std::move(message);
    return;
  }
  if (!follows || !message.contains("tool_calls")) return messages.push_back(std::move(message));
  for (Json& call : message["tool_calls"]) messages.back()["tool_calls"].push_back(std::move(call));
}

ApiResult<Json> read_input(Fields& fields) {
  Json messages = Json::array();
  if (const auto instructions = OGAS_TRY(fields.text("instructions")))
    messages.push_back({{"role", "system"}, {"content", *instructions}});
  const Json* input = fields.find("input");
  if (!input) return refuse("input", "input is missing");
  if (input->is_string()) {
    messages.push_back({{"role", "user"}, {"content", *input}});
    return messages;
  }
  if (input->is_array() && input->empty())
    return refuse("input", "input is an empty array: there is nothing to answer");
  if (!input->is_array())
    return refuse("input", "input is {}, where a string or an array of items is expected", kind_of(*input));
  for (size_t idx = 0; idx < input->size(); ++idx)
    if (Json message = OGAS_TRY(read_item((*input)[idx], fmt::format("input[{}]", idx))); !message.is_null())
      add_message(messages, std::move(message));
  if (messages.empty()) return refuse("input", "input says nothing");
  return messages;
}

// Functions are described in one object here, in two in the chat API.
ApiResult<ToolFields> read_response_tools(Fields& fields) {
  Json chat = Json::object();
  for (const std::string_view name : {"tool_choice", "parallel_tool_calls"})
    if (const Json* given = fields.find(name)) chat[std::string(name)] = *given;
  if (const Json* given = fields.find("tools")) {
    if (!given->is_array()) return refuse("tools", "tools is {}, where an array is expected", kind_of(*given));
    Json& tools = chat["tools"] = Json::array();
    for (size_t idx = 0; idx < given->size(); ++idx) {
      Fields tool = OGAS_TRY(Fields::of((*given)[idx], fmt::format("tools[{}]", idx)));
      const std::string type = OGAS_TRY(tool.needed_text("type"));
      Json function = (*given)[idx];
      function.erase("type");
      tools.push_back({{"type", type}, {"function", std::move(function)}});
    }
  }
  Fields chat_fields = OGAS_TRY(Fields::of(chat));
  return read_tools(chat_fields);
}

ApiResult<std::optional<AnswerForm>> read_text_form(Fields& fields) {
  const Json* given = fields.find("text");
  if (!given) return std::nullopt;
  Fields text = OGAS_TRY(Fields::of(*given, "text"));
  auto form = OGAS_TRY(read_openai_form(text, "format"));
  text.ignore({"verbosity"});
  OGAS_TRY(text.finish());
  return form;
}

ApiResult<> read_reasoning(const Api& api, Fields& fields, Json& variables) {
  const Json* given = fields.find("reasoning");
  if (!given) return {};
  Fields reasoning = OGAS_TRY(Fields::of(*given, "reasoning"));
  if (const auto effort = OGAS_TRY(reasoning.text("effort")))
    OGAS_TRY(add_effort(api, reasoning.path_of("effort"), *effort, variables));
  reasoning.ignore({"summary", "generate_summary"});
  return reasoning.finish();
}

// What needs a memory of earlier responses, or more time than the connection has.
ApiResult<> refuse_memory(Fields& fields) {
  for (const std::string_view name : {"previous_response_id", "conversation", "prompt"})
    if (fields.find(name)) return refuse(name, "{} needs stored responses, and nothing is stored here", name);
  if (OGAS_TRY(fields.boolean("background")).value_or(false))
    return refuse("background", "responses in the background are not supported");
  if (const auto truncation = OGAS_TRY(fields.text("truncation")); truncation && *truncation != "disabled")
    return refuse("truncation", "truncation is '{}', and only 'disabled' is supported", *truncation);
  if (const Json* include = fields.find("include"); include && !(include->is_array() && include->empty()))
    for (const Json& one : *include)
      if (one != "reasoning.encrypted_content")  // clients without memory ask for it always; there is none
        return refuse("include", "{} cannot be included", to_text(one));
  return {};
}

ApiResult<ResponseRequest> read_response(const Api& api, const Call& call) {
  const Json body = OGAS_TRY(parse_json(call.request.body));
  Fields fields = OGAS_TRY(Fields::of(body));
  OGAS_TRY(api.check_model(fields));
  ResponseRequest response;
  ChatRun& run = response.run;
  run.input.messages = OGAS_TRY(read_input(fields));
  run.input.path = "input";
  run.request = OGAS_TRY(read_request(api, call.client, fields, {"max_output_tokens"}));
  if (run.request.only_prompt) return refuse("max_output_tokens", "max_output_tokens is 0");
  run.tools = OGAS_TRY(read_response_tools(fields));
  run.input.extra = OGAS_TRY(read_template_variables(api, fields, run.request));
  OGAS_TRY(read_reasoning(api, fields, run.input.extra));
  run.form = OGAS_TRY(read_text_form(fields));
  OGAS_TRY(refuse_memory(fields));
  run.streams = OGAS_TRY(read_stream(fields)).stream;
  if (OGAS_TRY(fields.integer("top_logprobs", 0, 20)).value_or(0) > 0)
    return refuse("top_logprobs", "log-probabilities are not supported here; /v1/chat/completions has them");
  const Json* metadata = fields.find("metadata");
  ignore_bookkeeping(fields);
  fields.ignore({"max_tool_calls"});
  OGAS_TRY(fields.finish());
  const auto given = [&](const char* name, Json fallback) {
    const auto found = body.find(name);
    return found == body.end() || found->is_null() ? std::move(fallback) : *found;
  };
  response.shown = {{"instructions", given("instructions", nullptr)},
                    {"max_output_tokens", run.request.max_tokens > 0 ? Json(run.request.max_tokens) : Json()},
                    {"metadata", metadata ? *metadata : Json::object()},
                    {"parallel_tool_calls", run.tools.parallel},
                    {"previous_response_id", nullptr},
                    {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
                    {"temperature", run.request.sampling.temperature},
                    {"text", {{"format", run.form ? body["text"]["format"] : Json({{"type", "text"}})}}},
                    {"tool_choice", given("tool_choice", "auto")},
                    {"tools", given("tools", Json::array())},
                    {"top_p", run.request.sampling.top_p},
                    {"truncation", "disabled"}};
  for (Json& tool : response.shown["tools"])
    for (const char* name : {"strict", "parameters"})
      if (!tool.contains(name)) tool[name] = nullptr;
  return response;
}

// A response is made of items, one open at a time: reasoning, a message, calls. Events tell each step, whether they are
// sent or not.
class ResponseAnswer final : public ChatAnswer {
 public:
  ResponseAnswer(Api& served, HttpExchangePtr reply_channel, const ResponseRequest& asked)
      : ChatAnswer(served, std::move(reply_channel)), streams_(asked.run.streams) {
    response_ = {{"id", new_id("resp_")},   {"object", "response"},   {"created_at", unix_time()},
                 {"status", "in_progress"}, {"error", nullptr},       {"incomplete_details", nullptr},
                 {"model", served.model()}, {"output", Json::array()}};
    response_.update(asked.shown);
  }

 private:
  void add(size_t, const OutputPiece& piece, std::vector<DrawnToken>) override {
    begin();
    if (!piece.reasoning.empty()) add_text("reasoning", piece.reasoning);
    if (!piece.content.empty()) add_text("message", piece.content);
    for (const ToolCallPiece& part : piece.calls) add_call(part);
  }

  void finish(size_t, const Answer& answer) override {
    begin();
    const bool is_cut = choices.front().is_cut(answer);
    close_item(is_cut ? "incomplete" : "completed");
    response_["status"] = is_cut ? "incomplete" : "completed";
    if (is_cut) response_["incomplete_details"] = {{"reason", "max_output_tokens"}};
    response_["completed_at"] = is_cut ? Json() : Json(unix_time());
    const auto n_reasoning = api.engine.text().tokenizer()->encode(choices.front().reasoning).size();
    response_["usage"] = {{"input_tokens_details", {{"cache_write_tokens", 0}}},
                          {"output_tokens_details", {{"reasoning_tokens", n_reasoning}}}};
    add_figures(response_["usage"], answer.stats, &AnswerFigure::responses);
  }

  void end() override {
    if (!streams_) return reply_json(*exchange, response_);
    tell(response_["status"] == "completed" ? "response.completed" : "response.incomplete", {{"response", response_}});
    exchange->end_stream();
  }

  void fail(const ApiError& error) override {
    if (!has_begun_) return reply_error(*exchange, error);
    tell("error", {{"code", error.code.empty() ? Json("server_error") : Json(error.code)},
                   {"message", error.message},
                   {"param", nullptr}});
    exchange->end_stream();
  }

  void begin() {
    if (std::exchange(has_begun_, true)) return;
    if (streams_) exchange->begin_stream(events_head());
    tell("response.created", {{"response", response_}});
    tell("response.in_progress", {{"response", response_}});
  }

  void tell(std::string_view type, Json fields) {
    if (!streams_) return;
    Json json = {{"type", type}, {"sequence_number", n_events_++}};
    json.update(fields);
    exchange->write(event(json, type));
  }

  Json& item() { return response_["output"].back(); }
  size_t output_idx() const { return response_["output"].size() - 1; }
  Json location() { return {{"item_id", item()["id"]}, {"output_index", output_idx()}}; }
  Json location_of_text() {
    Json json = location();
    json["content_index"] = 0;
    return json;
  }

  void open_item(std::string_view type, Json fields) {
    close_item("completed");
    Json added = {{"id", new_id(type == "message"     ? "msg_"
                                : type == "reasoning" ? "rs_"
                                                      : "fc_")},
                  {"type", type},
                  {"status", "in_progress"}};
    added.update(fields);
    response_["output"].push_back(std::move(added));
    is_open_ = true;
    tell("response.output_item.added", {{"output_index", output_idx()}, {"item", item()}});
  }

  void add_text(std::string_view type, const std::string& text) {
    if (!is_open_ || item()["type"] != type) open_text(type);
    item()["content"][0]["text"].get_ref<std::string&>() += text;
    Json fields = location_of_text();
    fields["delta"] = text;
    if (type == "message") fields["logprobs"] = Json::array();
    tell(type == "message" ? "response.output_text.delta" : "response.reasoning_text.delta", std::move(fields));
  }

  void open_text(std::string_view type) {
    const bool is_message = type == "message";
    open_item(type, is_message ? Json{{"role", "assistant"}, {"content", Json::array()}}
                               : Json{{"summary", Json::array()}, {"content", Json::array()}});
    Json part =
        is_message
            ? Json{{"type", "output_text"}, {"text", ""}, {"annotations", Json::array()}, {"logprobs", Json::array()}}
            : Json{{"type", "reasoning_text"}, {"text", ""}};
    item()["content"].push_back(part);
    Json fields = location_of_text();
    fields["part"] = std::move(part);
    tell("response.content_part.added", std::move(fields));
  }

  void add_call(const ToolCallPiece& part) {
    if (!part.name.empty() || !is_open_ || item()["type"] != "function_call") {
      const ChatCall& call = choices.front().calls[part.index];
      close_item("completed");  // of which call it was, if one
      call_idx_ = part.index;
      open_item("function_call", {{"call_id", call.id}, {"name", call.name}, {"arguments", ""}});
    }
    item()["arguments"].get_ref<std::string&>() += part.arguments;
    if (part.arguments.empty()) return;
    Json fields = location();
    fields["delta"] = part.arguments;
    tell("response.function_call_arguments.delta", std::move(fields));
  }

  void close_item(std::string_view status) {
    if (!std::exchange(is_open_, false)) return;
    const bool is_call = item()["type"] == "function_call";
    const bool is_whole_call = is_call && choices.front().calls[call_idx_].is_whole;
    item()["status"] = !is_call ? status : is_whole_call ? "completed" : "incomplete";
    if (is_whole_call) {
      Json fields = location();
      fields["name"] = item()["name"];
      fields["arguments"] = item()["arguments"];
      tell("response.function_call_arguments.done", std::move(fields));
    } else if (!is_call) {
      const bool is_message = item()["type"] == "message";
      Json fields = location_of_text();
      fields["text"] = item()["content"][0]["text"];
      if (is_message) fields["logprobs"] = Json::array();
      tell(is_message ? "response.output_text.done" : "response.reasoning_text.done", std::move(fields));
      fields = location_of_text();
      fields["part"] = item()["content"][0];
      tell("response.content_part.done", std::move(fields));
    }
    tell("response.output_item.done", {{"output_index", output_idx()}, {"item", item()}});
  }

  bool streams_, has_begun_ = false, is_open_ = false;
  Json response_;
  size_t call_idx_ = 0;  // of the open item, or the last that was a call
  uint64_t n_events_ = 0;
};

}  // namespace

ApiResult<> responses(Api& api, Call& call) {
  ResponseRequest asked = OGAS_TRY(read_response(api, call));
  auto answer = std::make_unique<ResponseAnswer>(api, call.exchange, asked);
  return asked.run.start(api, call, std::move(answer), events_head());
}

}  // namespace ogas::server
