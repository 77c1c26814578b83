// Splits an answer that consists of messages: a header with a channel and perhaps a recipient, then <|message|>, the
// text, and a mark that ends it. The first header's <|start|>assistant is part of the prompt.
#include <optional>
#include <string>
#include <utility>

#include "chat/answer_splitter.h"
#include "chat/channel_header.h"
#include "chat/mark_finder.h"

namespace ogas {
namespace {

class ChannelSplitter : public AnswerSplitter {
 public:
  ChannelSplitter(const CallContext& context, bool starts_in_reasoning)
      : context_(context), marks_(marks_of(context.format)), at_(starts_in_reasoning ? At::reasoning : At::header) {}

  void push(char c) override {
    const auto found = marks_.push(c);
    for (const char each : found.text) text(each);
    if (found.mark) on_mark(*found.mark);
  }
  void finish() override;

 private:
  enum class At { header, content, reasoning, call, between };

  void text(char c);
  void text(std::string_view text) {
    for (const char c : text) this->text(c);
  }
  void on_mark(size_t mark);
  void begin_header(std::string_view mark);
  void add_to_header(std::string_view text);
  void end_header();
  void call_text(char c);
  void break_call();
  void end_message(std::string_view mark);

  CallContext context_;
  MarkFinder marks_;
  At at_;
  std::string header_;     // as the model wrote it
  std::string blanks_;     // between messages
  bool verbatim_ = false;  // the message is shown with its marks
  std::optional<ArgumentsStream> arguments_;
  std::string unsent_;  // the call's text from what was not sent on
};

void ChannelSplitter::text(char c) {
  switch (at_) {
    case At::header: return add_to_header({&c, 1});
    case At::content: return context_.writer.content({&c, 1});
    case At::reasoning: return context_.writer.reasoning({&c, 1});
    case At::call: return call_text(c);
    case At::between: break;
  }
  blanks_ += c;
  if (is_blank(c)) return;
  context_.writer.content(std::exchange(blanks_, {}));
  at_ = At::content;
}

void ChannelSplitter::on_mark(size_t mark) {
  const std::string& name = marks_.mark(mark);
  if (at_ == At::header) {
    if (mark == kMessage) return end_header();
    if (mark < kMessage) return add_to_header(name);
    if (!header_.empty()) context_.writer.content(header_ + name);
    header_.clear();
    at_ = At::between;
    return;
  }
  if (mark == kStart || mark == kChannel) return begin_header(name);
  if (mark == kMessage || mark == kConstrain) return text(name);
  end_message(name);
}

void ChannelSplitter::begin_header(std::string_view mark) {
  end_message("");
  at_ = At::header;
  header_ = mark;
}

// Text that is not a header is content: an answer that begins differently, or whose header is too long.
void ChannelSplitter::add_to_header(std::string_view text) {
  header_ += text;
  if (ChannelHeader::may_be(header_)) return;
  context_.writer.content(std::exchange(header_, {}));
  at_ = At::content;
  verbatim_ = false;
}

void ChannelSplitter::end_header() {
  const ChannelHeader header = ChannelHeader::read(header_);
  const bool has_recipient = !header.recipient.empty();
  const bool is_reasoning = header.is_reasoning();
  const bool is_call = has_recipient && context_.tools.contains(header.recipient);
  std::string name(header.recipient);
  unsent_ = std::exchange(header_, {});
  unsent_ += ChannelMarks::kMessage;
  verbatim_ = has_recipient && !is_call;
  if (is_call) {
    at_ = At::call;
    arguments_.emplace(context_).begin(std::move(name));
    return;
  }
  at_ = is_reasoning ? At::reasoning : At::content;
  if (verbatim_) context_.writer.content(unsent_);
}

void ChannelSplitter::call_text(char c) {
  unsent_ += c;
  const size_t n_writes = context_.writer.n_call_writes();
  const bool waits = arguments_->is_whole() || !arguments_->has_begun();
  if (waits && is_blank(c)) return;
  if (arguments_->is_whole() && c == '}') return;  // one too many
  if (arguments_->is_whole() || arguments_->push(c) == CallState::broken) return break_call();
  if (context_.writer.n_call_writes() == n_writes) return;
  unsent_.clear();
  if (!arguments_->wrote_last()) unsent_ = c;
}

// What was not sent of the call is content; if nothing was, the whole message is.
void ChannelSplitter::break_call() {
  verbatim_ = !arguments_->has_written();
  context_.writer.content(std::exchange(unsent_, {}));
  at_ = At::content;
}

void ChannelSplitter::end_message(std::string_view mark) {
  if (at_ == At::call && arguments_->has_written())
    arguments_->cut();
  else if (at_ == At::call && !arguments_->is_whole())
    break_call();
  if (std::exchange(verbatim_, false)) context_.writer.content(mark);
  blanks_.clear();
  at_ = At::between;
}

void ChannelSplitter::finish() {
  text(marks_.flush());
  if (at_ == At::header) context_.writer.content(header_);
  end_message("");
}

}  // namespace

std::unique_ptr<AnswerSplitter> make_channel_splitter(const CallContext& context, bool starts_in_reasoning) {
  return std::make_unique<ChannelSplitter>(context, starts_in_reasoning);
}

}  // namespace ogas
