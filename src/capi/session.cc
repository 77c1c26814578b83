// Sessions: conversations, requests, and what is known of the last answer.
#include <exception>
#include <string>
#include <utility>

#include "base/unicode.h"
#include "capi/boundary.h"
#include "capi/handles.h"
#include "capi/reply.h"
#include "capi/request.h"
#include "capi/stats.h"

namespace ogas::capi {
namespace {

// Runs `body` as the only call in the session; cancel() reaches it from its beginning.
template <class Body>
ogas_status claimed(ogas_session* session, Body&& body) noexcept {
  return guarded([&]() -> Result<> {
    OGAS_TRY(need(session, "session"));
    if (session->busy.exchange(true))
      return fail(ErrorCode::unavailable, "the session is busy: it takes one call at a time");
    struct Release {
      ogas_session& session;
      ~Release() {
        set_running(session, nullptr);
        session.busy = false;
      }
      static void set_running(ogas_session& owner, std::shared_ptr<Exchange> exchange) {
        const std::lock_guard lock(owner.mutex);
        owner.running = std::move(exchange);
      }
    };
    const Release release{*session};
    auto exchange = std::make_shared<Exchange>();
    Release::set_running(*session, exchange);
    return body(std::move(exchange));
  });
}

// Callbacks of the API with what belongs to them.
struct Listener {
  ogas_text_callback on_text, on_reasoning;
  void* user;

  // Whether it wants more.
  bool take(const OutputPiece& piece) const {
    return call(on_reasoning, piece.reasoning) && call(on_text, piece.content);
  }

 private:
  bool call(ogas_text_callback function, const std::string& text) const {
    return !function || text.empty() || function(text.c_str(), text.size(), user) == 0;
  }
};

// Hands it to the engine's thread and waits for the answer, telling its text apart meanwhile.
Result<Answer> wait_for_answer(EngineThread& thread, Request request, const std::shared_ptr<Exchange>& exchange,
                               ReplyReader& reader, const Listener& listener) {
  request.on_text = [exchange](std::string_view text) { exchange->push(text); };
  request.is_split = reader.splits();
  const auto id =
      thread.submit(std::move(request), [exchange](Result<Answer> answer) { exchange->finish(std::move(answer)); });
  bool shows = true;
  try {
    while (true) {
      Exchange::Events events = exchange->wait();
      const OutputPiece piece = reader.push(events.text, events.answer.has_value());
      if (shows && !listener.take(piece)) {
        shows = false;
        events.cancelled = true;
      }
      if (events.answer) return *std::move(events.answer);
      if (events.cancelled) thread.cancel(id);
    }
  } catch (...) {  // nobody waits for it any more
    thread.cancel(id);
    throw;
  }
}

void forget_answer(ogas_session& session) {
  session.answer = {};
  session.reply = {};
  session.finish = OGAS_FINISH_NONE;
}

Result<> answer(ogas_session& session, Request request, const std::shared_ptr<Exchange>& exchange,
                const ReplyOptions& options, ogas_text_callback on_text, void* user) {
  ReplyReader reader(options, request.start);
  const Listener listener{on_text, options.on_reasoning, user};
  session.answer = OGAS_TRY(wait_for_answer(session.loaded->thread, std::move(request), exchange, reader, listener));
  session.reply = reader.take();
  switch (session.answer.finish) {
    case FinishReason::stop: session.finish = OGAS_FINISH_STOP; break;
    case FinishReason::stop_text: session.finish = OGAS_FINISH_STOP_TEXT; break;
    case FinishReason::length: session.finish = OGAS_FINISH_LENGTH; break;
    case FinishReason::cancelled: session.finish = OGAS_FINISH_CANCELLED; break;
    case FinishReason::deadline: session.finish = OGAS_FINISH_DEADLINE; break;
  }
  return {};
}

Result<ogas_tool_call> tool_call_of(const ogas_session& session, size_t call_idx) {
  const auto& calls = session.reply.calls;
  if (call_idx >= calls.size())
    return fail(ErrorCode::usage, "call_idx is {}; the last answer has {} calls", call_idx, calls.size());
  ogas_tool_call call{};
  call.name = calls[call_idx].name.c_str();
  call.arguments = calls[call_idx].arguments.c_str();
  call.n_bytes = calls[call_idx].arguments.size();
  call.is_whole = calls[call_idx].is_whole ? 1 : 0;
  return call;
}

// rank: OGAS_RANK_CHOSEN, or that among the likeliest. Errors: usage.
Result<ogas_logprob> logprob_of(const ogas_session& session, size_t token_idx, size_t rank) {
  const Answer& answer = session.answer;
  if (token_idx >= answer.tokens.size())
    return fail(ErrorCode::usage, "token_idx is {}; the last answer has {} tokens", token_idx, answer.tokens.size());
  if (answer.logprobs.empty())
    return fail(ErrorCode::usage, "log-probabilities are there if the request's options ask for logprobs");
  const Logprobs& here = answer.logprobs[token_idx];
  if (rank > here.top.size())
    return fail(ErrorCode::usage, "rank is {}; {} of the likeliest tokens are known", rank, here.top.size());
  ogas_logprob found{};
  found.token = rank == OGAS_RANK_CHOSEN ? answer.tokens[token_idx] : here.top[rank - 1].id;
  found.logprob = rank == OGAS_RANK_CHOSEN ? here.chosen : here.top[rank - 1].logprob;
  const Tokenizer* tokenizer = session.loaded->engine->text().tokenizer();
  const std::string_view bytes = tokenizer ? tokenizer->bytes_of(found.token) : std::string_view();
  found.bytes = bytes.empty() ? "" : bytes.data();
  found.n_bytes = bytes.size();
  found.n_top = here.top.size();
  return found;
}

Result<> check_utf8(std::string_view text, std::string_view name) {
  const size_t n = valid_utf8_prefix(text);
  if (n == text.size()) return {};
  return fail(ErrorCode::usage, "{} is not UTF-8: byte {} is {:#04x}", name, n, static_cast<uint8_t>(text[n]));
}

nlohmann::ordered_json message(std::string_view role, std::string_view content) {
  return {{"role", role}, {"content", content}};
}

}  // namespace
}  // namespace ogas::capi

using namespace ogas;

ogas_status ogas_generate_options_init(const ogas_engine* engine, ogas_generate_options* options, size_t size) {
  return capi::guarded([&]() -> Result<> {
    OGAS_TRY(capi::need(engine, "engine"));
    return capi::write_struct(capi::recommended_options(*engine->loaded->engine), options, size,
                              "ogas_generate_options");
  });
}

ogas_status ogas_session_new(ogas_engine* engine, ogas_session** session) {
  return capi::guarded([&]() -> Result<> {
    OGAS_TRY(capi::need(engine, "engine"));
    OGAS_TRY(capi::need(session, "session"));
    auto made = std::make_unique<ogas_session>();
    made->loaded = engine->loaded;
    *session = made.release();
    return {};
  });
}

void ogas_session_free(ogas_session* session) { delete session; }

ogas_status ogas_generate(ogas_session* session, const int32_t* tokens, size_t n_tokens,
                          const ogas_generate_options* given, ogas_text_callback on_text, void* user) {
  return capi::claimed(session, [&](const std::shared_ptr<capi::Exchange>& exchange) -> Result<> {
    capi::forget_answer(*session);
    OGAS_TRY(capi::need(tokens, "tokens"));
    const auto options = OGAS_TRY(capi::read_options(*session->loaded->engine, given));
    Request request = OGAS_TRY(capi::make_request(*session->loaded->engine, options));
    const auto options_of_reply = OGAS_TRY(capi::read_reply_options(options));
    request.prompt.assign(tokens, tokens + n_tokens);
    session->loaded->engine->text().start_answer(request, !options_of_reply.tools.is_null());
    OGAS_TRY(capi::set_form(*session->loaded->engine, options, options_of_reply.tools, request));
    return capi::answer(*session, std::move(request), exchange, options_of_reply, on_text, user);
  });
}

ogas_status ogas_chat(ogas_session* session, const char* text, const ogas_generate_options* given,
                      ogas_text_callback on_text, void* user) {
  return capi::claimed(session, [&](const std::shared_ptr<capi::Exchange>& exchange) -> Result<> {
    capi::forget_answer(*session);
    OGAS_TRY(capi::need(text, "text"));
    OGAS_TRY(capi::check_utf8(text, "text"));
    const auto options = OGAS_TRY(capi::read_options(*session->loaded->engine, given));
    Request request = OGAS_TRY(capi::make_request(*session->loaded->engine, options));
    ChatTemplateInput input{};
    input.messages = session->messages;
    input.messages.push_back(capi::message("user", text));
    const auto options_of_reply = OGAS_TRY(capi::read_reply_options(options));
    input.tools = options_of_reply.tools;
    request.prompt = OGAS_TRY(session->loaded->engine->text().encode_chat(input));
    session->loaded->engine->text().start_answer(request, !options_of_reply.tools.is_null());
    OGAS_TRY(capi::set_form(*session->loaded->engine, options, options_of_reply.tools, request));
    OGAS_TRY(capi::answer(*session, std::move(request), exchange, options_of_reply, on_text, user));
    input.messages.push_back(session->reply.message());
    session->messages = std::move(input.messages);
    return {};
  });
}

ogas_status ogas_session_add(ogas_session* session, const char* role, const char* content) {
  return capi::claimed(session, [&](const auto&) -> Result<> {
    OGAS_TRY(capi::need(role, "role"));
    OGAS_TRY(capi::need(content, "content"));
    OGAS_TRY(capi::check_utf8(role, "role"));
    OGAS_TRY(capi::check_utf8(content, "content"));
    session->messages.push_back(capi::message(role, content));
    return {};
  });
}

ogas_status ogas_session_clear(ogas_session* session) {
  return capi::claimed(session, [&](const auto&) -> Result<> {
    session->messages.clear();
    return {};
  });
}

void ogas_cancel(ogas_session* session) {
  if (!session) return;
  const std::lock_guard lock(session->mutex);
  if (session->running) session->running->cancel();
}

const char* ogas_session_text(const ogas_session* session, size_t* n_bytes) {
  if (n_bytes) *n_bytes = session ? session->reply.content.size() : 0;
  return session ? session->reply.content.c_str() : "";
}

const char* ogas_session_reasoning(const ogas_session* session, size_t* n_bytes) {
  if (n_bytes) *n_bytes = session ? session->reply.reasoning.size() : 0;
  return session ? session->reply.reasoning.c_str() : "";
}

size_t ogas_session_n_tool_calls(const ogas_session* session) { return session ? session->reply.calls.size() : 0; }

ogas_status ogas_session_tool_call(const ogas_session* session, size_t call_idx, ogas_tool_call* call, size_t size) {
  return capi::guarded([&]() -> Result<> {
    OGAS_TRY(capi::need(session, "session"));
    return capi::write_struct(OGAS_TRY(capi::tool_call_of(*session, call_idx)), call, size, "ogas_tool_call");
  });
}

const int32_t* ogas_session_tokens(const ogas_session* session, size_t* n_tokens) {
  if (n_tokens) *n_tokens = session ? session->answer.tokens.size() : 0;
  return session ? session->answer.tokens.data() : nullptr;
}

ogas_status ogas_session_logprob(const ogas_session* session, size_t token_idx, size_t rank, ogas_logprob* logprob,
                                 size_t size) {
  return capi::guarded([&]() -> Result<> {
    OGAS_TRY(capi::need(session, "session"));
    return capi::write_struct(OGAS_TRY(capi::logprob_of(*session, token_idx, rank)), logprob, size, "ogas_logprob");
  });
}

ogas_status ogas_session_stats(const ogas_session* session, ogas_stats* stats, size_t size) {
  return capi::guarded([&]() -> Result<> {
    OGAS_TRY(capi::need(session, "session"));
    ogas_stats fields = capi::stats_of(session->answer.stats);
    fields.finish = session->finish;
    return capi::write_struct(fields, stats, size, "ogas_stats");
  });
}
