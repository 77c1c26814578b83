#include "cli/chat/engine_backend.h"

#include <functional>

#include "base/memory.h"
#include "cli/chat/model_reply.h"
#include "cli/options/model_path.h"
#include "cli/report/answer_line.h"
#include "cli/report/experts_report.h"
#include "cli/terminal/reply_printer.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/terminal.h"
#include "engine/answer_figures.h"
#include "engine/answer_grammars.h"
#include "engine/kv_manager.h"

namespace ogas::cli {

std::string EngineBackend::model() const { return engine_.file().path().filename().string(); }

std::string EngineBackend::greeting() const {
  return fmt::format("{} · {} · context {}", name_of_model(engine_.file().path()),
                     format_bytes(engine_.file().total_bytes()), engine_.options().n_ctx);
}

std::vector<std::pair<std::string, std::string>> EngineBackend::facts() const {
  const uint64_t n_held = session_->tokens.size();
  const uint32_t n_ctx = engine_.options().n_ctx;
  const double percent = 100.0 * static_cast<double>(n_held) / n_ctx;
  return {{"model", model()},
          {"computing with", fmt::format("{}, {} threads", engine_.isa(), engine_.options().n_threads)},
          {"context", fmt::format("{} of {} tokens ({:.0f}%)", n_held, n_ctx, percent)},
          {"keys and values", format_bytes(engine_.kv().bytes_used())},
          {"peak memory", format_bytes(peak_memory())}};
}

Result<Reply> EngineBackend::answer(const Conversation& conversation) {
  auto prompt = OGAS_TRY(encode_conversation(engine_, conversation.all_messages(), chat_));
  Request request = conversation.settings.make_request(std::move(prompt), *engine_.text().tokenizer());
  const bool has_form = !conversation.schema.empty();
  if (chat_.is_plain() && !has_form) request.stop.emplace_back(kPlainStop);
  engine_.text().start_answer(request);
  if (has_form)
    OGAS_TRY(engine_.text().constrain(request, {.content = grammar::GrammarSource::json_schema(conversation.schema)}));
  ReplyPrinter printer(hides_thinking_);
  ModelReply told(AnswerReader(request.start), std::bind_front(&ReplyPrinter::print, &printer));
  told.watch(request);
  const ExpertsReport experts(engine_, request);
  const AnswerInProgress in_progress(engine_);
  auto result = engine_.generate(*session_, request);
  if (!result && request.prompt.size() > engine_.options().n_ctx)
    return fail(ErrorCode::usage, "{}; /clear starts a new conversation, a larger --ctx holds more",
                result.error().message);
  const Answer answer = OGAS_TRY(std::move(result));
  told.finish();
  write_stdout("\n");
  Reply reply{.text = told.content(),
              .stats = answer.stats,
              .line = describe_answer(answer.stats),
              .details = experts.lines(answer_figure("answer_seconds").value(answer.stats)),
              .notes = {}};
  if (answer.finish == FinishReason::cancelled)
    reply.notes.emplace_back("(stopped; what came so far stays in the conversation)");
  else if (has_form && answer.finish != FinishReason::stop)
    reply.notes.emplace_back("(cut before it satisfied the schema)");
  if (told.is_cut_in_reasoning(answer.finish)) reply.notes.emplace_back(kCutInReasoning);
  if (answer.finish == FinishReason::length && is_full())
    reply.notes.emplace_back("(the context is full: /clear starts a new conversation, a larger --ctx holds more)");
  return reply;
}

}  // namespace ogas::cli
