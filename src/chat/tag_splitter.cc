// Splits an answer that is one text with tags in it.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chat/answer_splitter.h"
#include "chat/mark_finder.h"

namespace ogas {
namespace {

constexpr std::string_view kClosingFence = "```";

enum TagMark : size_t {
  kThinkBegin,
  kResponseBegin,
  kResponseEnd,
  kMessageBegin,
  kMessageEnd,
  kCallBegin,
  kCallsBegin,
  kNameBegin,
  kCallEnd,
  kCallsEnd
};

bool has_calls(const CallContext& context) {
  return !context.tools.empty() && context.format.call_syntax != CallSyntax::none;
}

std::vector<std::string> content_marks(const CallContext& context) {
  const OutputFormat& format = context.format;
  std::vector<std::string> marks = {format.think_begin, format.response_begin, format.response_end,
                                    format.message_begin, format.message_end};
  if (!has_calls(context)) return marks;
  // Fences occur in text, too.
  const std::string calls_end = format.calls_end == kClosingFence ? "" : format.calls_end;
  marks.insert(marks.end(),
               {format.call_begin, format.calls_begin, format.tags.name_begin, format.call_end, calls_end});
  return marks;
}

std::vector<std::string> reasoning_marks(const CallContext& context) {
  const OutputFormat& format = context.format;
  const bool has_beginnings = format.calls_end_reasoning && has_calls(context);
  return {format.think_end, has_beginnings ? format.calls_begin : ""};
}

// A control token is never an answer's own text.
bool is_control(std::string_view mark) { return mark.starts_with("<|"); }

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class TagSplitter : public AnswerSplitter {
 public:
  TagSplitter(const CallContext& context, bool starts_in_reasoning)
      : context_(context), content_marks_(content_marks(context)), reasoning_marks_(reasoning_marks(context)) {
    if (starts_in_reasoning && !context.format.think_end.empty()) mode_ = Mode::reasoning;
    keeps_new_lines_ = context.format.think_begin.empty();
  }

  void push(char c) override;
  void finish() override;

 private:
  enum class Mode { content, reasoning, call };

  void step(char c);
  void text(char c);
  bool begins_call(char c) const;
  bool is_separator(char c) const;
  void on_mark(size_t mark);
  void on_reasoning_mark(size_t mark);
  void on_response_mark(bool begins, std::string_view mark);
  void drop_mark();
  void show(std::string_view text);
  void write(std::string_view text);
  void flush_blanks();
  void begin_call(std::string_view mark, CallBeginning beginning);
  void step_call(char c);
  void give_up_call();
  void cut_call();
  void end_call();

  CallContext context_;
  MarkFinder content_marks_, reasoning_marks_;
  Mode mode_ = Mode::content;
  std::string again_;  // bytes to be read, the last first

  // At the beginning of the answer, and after marks, white space is held back: leading new lines belong to the mark,
  // and all of it does if another mark follows. Elsewhere only new lines are held back, for a mark that may follow.
  bool at_gap_ = true;
  bool keeps_new_lines_ = false;  // at the gap: leading ones are the answer's own
  std::string blanks_;

  bool has_content_ = false;  // since the beginning, reasoning or a call: no reasoning may follow
  bool in_response_ = false;
  bool after_call_ = false;  // marks that end calls are due
  bool in_list_ = false;     // of calls, whose bracket is open
  std::unique_ptr<CallReader> reader_;
  std::string unsent_;  // the call's text as the model wrote it, from what was not sent on
  bool sent_ = false;   // something of the call
};

void TagSplitter::push(char c) {
  again_ += c;
  while (!again_.empty()) {
    const char next = again_.back();
    again_.pop_back();
    step(next);
  }
}

void TagSplitter::step(char c) {
  if (mode_ == Mode::call) return step_call(c);
  const auto found = (mode_ == Mode::reasoning ? reasoning_marks_ : content_marks_).push(c);
  for (const char each : found.text) text(each);
  if (found.mark) on_mark(*found.mark);
}

// Several objects in a row are calls, too. What begins a call so begins no mark, so nothing is held back after it.
bool TagSplitter::begins_call(char c) const {
  if (mode_ != Mode::content || !at_gap_ || context_.tools.empty()) return false;
  switch (context_.format.call_syntax) {
    case CallSyntax::bare_json: return c == '{';
    case CallSyntax::json:
    case CallSyntax::json_list:
    case CallSyntax::json_by_name: return c == '{' && after_call_;
    case CallSyntax::python_calls: return in_list_ ? begins_name(c) : c == '[' && context_.format.calls_begin.empty();
    default: return false;
  }
}

// Separators between and after calls, and surplus braces. They belong to the calls if only marks, calls or the end
// follow.
bool TagSplitter::is_separator(char c) const {
  if (!after_call_) return false;
  const CallSyntax syntax = context_.format.call_syntax;
  if (c == ',') return in_list_;
  if (c == ';') return syntax == CallSyntax::bare_json;
  if (c == kClosingFence.front()) return context_.format.calls_end == kClosingFence;
  return c == '}' &&
         (syntax == CallSyntax::json || syntax == CallSyntax::bare_json || syntax == CallSyntax::json_list ||
          syntax == CallSyntax::json_by_name || syntax == CallSyntax::call_tokens);
}

void TagSplitter::text(char c) {
  if (c == ']' && in_list_ && at_gap_) {
    in_list_ = false;
    drop_mark();
  } else if (at_gap_ ? is_blank(c) || is_separator(c) : c == '\n' || c == '\r') {
    blanks_ += c;
  } else if (begins_call(c)) {
    begin_call("", CallBeginning::none);
    step_call(c);
  } else {
    show({&c, 1});
  }
}

void TagSplitter::on_mark(size_t mark) {
  if (mode_ == Mode::reasoning) return on_reasoning_mark(mark);
  const std::string& text = content_marks_.mark(mark);
  switch (mark) {
    case kCallBegin: return begin_call(text, CallBeginning::call_begin);
    case kCallsBegin: return begin_call(text, CallBeginning::calls_begin);
    case kNameBegin: return begin_call(text, CallBeginning::name_tag);
    case kThinkBegin:
      if (!at_gap_ || has_content_) return show(text);
      mode_ = Mode::reasoning;
      return drop_mark();
    case kResponseBegin: return on_response_mark(/*begins=*/true, text);
    case kResponseEnd: return on_response_mark(/*begins=*/false, text);
    case kMessageBegin:
    case kMessageEnd: return drop_mark();
    default: return after_call_ ? drop_mark() : show(text);
  }
}

void TagSplitter::on_reasoning_mark(size_t mark) {
  mode_ = Mode::content;
  has_content_ = false;
  if (mark == 0) return drop_mark();
  begin_call(reasoning_marks_.mark(mark), CallBeginning::calls_begin);
}

void TagSplitter::on_response_mark(bool begins, std::string_view mark) {
  const bool is_due = begins ? at_gap_ : in_response_ || context_.format.response_begin.empty();
  if (!is_due && !is_control(mark)) return show(mark);
  in_response_ = begins;
  drop_mark();
}

void TagSplitter::drop_mark() {
  blanks_.clear();
  at_gap_ = true;
  keeps_new_lines_ = false;
}

void TagSplitter::write(std::string_view text) {
  mode_ == Mode::reasoning ? context_.writer.reasoning(text) : context_.writer.content(text);
}

void TagSplitter::flush_blanks() {
  std::string_view text = blanks_;
  if (at_gap_ && !keeps_new_lines_) text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  write(text);
  blanks_.clear();
}

void TagSplitter::show(std::string_view text) {
  flush_blanks();
  in_list_ = false;
  has_content_ = mode_ == Mode::content;
  at_gap_ = false;
  write(text);
}

void TagSplitter::begin_call(std::string_view mark, CallBeginning beginning) {
  mode_ = Mode::call;
  unsent_ = mark;
  sent_ = false;
  reader_ = make_call_reader(context_, beginning);
}

void TagSplitter::step_call(char c) {
  const size_t n_writes = context_.writer.n_call_writes();
  const CallState state = reader_->push(c);
  if (context_.writer.n_call_writes() != n_writes) {
    sent_ = true;
    unsent_.clear();
    if (!reader_->wrote_last()) unsent_ = c;
  } else {
    unsent_ += c;
  }
  if (state == CallState::done) return end_call();
  if (state == CallState::open) return;
  const size_t n_again = std::min(reader_->n_unread() + 1, unsent_.size());
  again_.append(unsent_.rbegin(), unsent_.rbegin() + static_cast<std::ptrdiff_t>(n_again));
  unsent_.resize(unsent_.size() - n_again);
  give_up_call();
}

// The answer ended within a call. Of one that was sent, all is sent.
void TagSplitter::cut_call() {
  if (!sent_ || reader_->is_whole()) return give_up_call();
  reader_->cut();
  end_call();
}

// The call is broken, or lacks its end.
void TagSplitter::give_up_call() {
  const bool is_whole = reader_->is_whole();
  std::string rest = std::exchange(unsent_, {});
  // A whole call may lack what closes its format.
  if (is_whole && rest.find_first_not_of(" \t\r\n`}") == std::string::npos) rest.clear();
  if (sent_) {
    end_call();
  } else {
    mode_ = Mode::content;
    reader_.reset();
    after_call_ = false;
    in_list_ = false;  // its first byte, read once more, must not begin a call again
  }
  if (!rest.empty()) show(rest);
}

void TagSplitter::end_call() {
  mode_ = Mode::content;
  reader_.reset();
  unsent_.clear();
  after_call_ = true;
  has_content_ = false;
  const CallSyntax syntax = context_.format.call_syntax;
  in_list_ =
      syntax == CallSyntax::json_list || syntax == CallSyntax::json_by_name || syntax == CallSyntax::python_calls;
  drop_mark();
}

void TagSplitter::finish() {
  if (mode_ == Mode::call) return cut_call();
  for (const char c : (mode_ == Mode::reasoning ? reasoning_marks_ : content_marks_).flush()) text(c);
  const bool belongs_to_mark = at_gap_ && !keeps_new_lines_ && std::ranges::all_of(blanks_, [&](char c) {
                                 return is_blank(c) || (c != ';' && is_separator(c));
                               });
  if (!belongs_to_mark) flush_blanks();
}

}  // namespace

std::unique_ptr<AnswerSplitter> make_tag_splitter(const CallContext& context, bool starts_in_reasoning) {
  return std::make_unique<TagSplitter>(context, starts_in_reasoning);
}

}  // namespace ogas
