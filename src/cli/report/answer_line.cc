#include "cli/report/answer_line.h"

#include <fmt/format.h>

#include "base/memory.h"
#include "engine/answer_figures.h"

namespace ogas::cli {
namespace {

// Figures by name, as text.
class Figures {
 public:
  explicit Figures(const AnswerStats& stats) : stats_(stats) {}
  std::string operator()(std::string_view name) const { return answer_figure(name).text(stats_); }
  bool has(std::string_view name) const { return answer_figure(name).value(stats_) > 0; }

 private:
  const AnswerStats& stats_;
};

// "12 + 34 tok (5 remembered)"
std::string describe_tokens(const Figures& figures) {
  const std::string text = fmt::format("{} + {} tok", figures("n_prompt"), figures("n_generated"));
  return figures.has("n_cached") ? fmt::format("{} ({} remembered)", text, figures("n_cached")) : text;
}

}  // namespace

std::string describe_answer(const AnswerStats& stats) {
  const Figures figures(stats);
  std::string text = describe_tokens(figures) + " · prefill " + figures("prefill_rate");
  if (figures.has("decode_rate")) text += ", decode " + figures("decode_rate");
  return text + fmt::format(" tok/s · first token {} s · peak {}", figures("first_token_seconds"),
                            format_bytes(peak_memory()));
}

std::string describe_remote_answer(const AnswerStats& stats) {
  const Figures figures(stats);
  std::string text;
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : " · ") + more; };
  if (figures.has("n_total")) add(describe_tokens(figures));
  if (figures.has("decode_rate")) add(figures("decode_rate") + " tok/s");
  if (figures.has("answer_seconds"))
    add(fmt::format("first token {} s · total {} s", figures("first_token_seconds"), figures("answer_seconds")));
  return text;
}

}  // namespace ogas::cli
