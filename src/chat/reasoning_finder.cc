#include "chat/reasoning_finder.h"

#include <utility>
#include <vector>

#include "chat/channel_header.h"

namespace ogas {
namespace {

constexpr std::string_view kWhite = " \t\r\n", kLineEnds = "\r\n";

enum ClosingMark : size_t { kEndOfThinking, kEndOfCall, kEndOfCalls, kCallsWithinThinking };

std::vector<std::string> closing_marks(const OutputFormat& format) {
  if (format.channels) return marks_of(format);
  const bool is_fence = format.calls_end == "```";  // which occurs in text, too
  return {format.think_end, format.call_end, is_fence ? "" : format.calls_end,
          format.calls_end_reasoning ? format.calls_begin : ""};
}

}  // namespace

ReasoningFinder::ReasoningFinder(OutputFormat format, At at)
    : format_(std::move(format)),
      at_(has_reasoning(format_) ? at : At::content),
      is_final_(!format_.channels || at == At::content),
      marks_(closing_marks(format_)) {}

ReasoningFinder::Found ReasoningFinder::release(std::string& text, bool is_content) {
  shown_ = std::exchange(text, {});
  return {shown_, is_content};
}

ReasoningFinder::Found ReasoningFinder::push(char c) {
  if (format_.channels) return push_to_message(c);
  if (at_ == At::open) return push_open(c);
  const bool is_content = at_ == At::content;
  shown_ = c;
  const auto mark = has_reasoning(format_) ? marks_.push(c).mark : std::nullopt;
  if (!mark) return {shown_, is_content};
  if (is_content ? *mark == kEndOfCall || *mark == kEndOfCalls : *mark == kEndOfThinking) at_ = At::open;
  if (!is_content && *mark == kCallsWithinThinking) at_ = At::content;
  return {shown_, is_content};
}

ReasoningFinder::Found ReasoningFinder::push_open(char c) {
  held_ += c;
  const size_t n_blank = held_.find_first_not_of(kWhite);
  if (n_blank == std::string::npos) {
    const bool is_of_mark = held_.find_first_not_of(kLineEnds) == std::string::npos;
    return is_of_mark ? release(held_, false) : Found{};
  }
  const std::string_view rest = std::string_view(held_).substr(n_blank);
  for (const std::string* mark :
       {&format_.think_begin, &format_.response_begin, &format_.message_begin, &format_.message_end}) {
    if (mark->empty() || !mark->starts_with(rest)) continue;
    if (mark->size() > rest.size()) return {};
    if (mark == &format_.think_begin) at_ = At::reasoning;
    return release(held_, false);
  }
  at_ = At::content;
  return release(held_, true);
}

ReasoningFinder::Found ReasoningFinder::push_to_message(char c) {
  const MarkFinder::Found found = marks_.push(c);
  if (at_ == At::header) return push_to_header(found);
  if (found.mark && *found.mark <= kChannel) {
    at_ = At::header;
    header_ = marks_.mark(*found.mark);
    return release(held_, false);
  }
  if (found.mark && *found.mark > kMessage) {
    held_ += marks_.mark(*found.mark);
    at_ = At::open;
    return release(held_, false);
  }
  held_ += found.mark ? std::string_view(marks_.mark(*found.mark)) : found.text;
  if (at_ != At::open) return release(held_, at_ == At::content);
  if (held_.find_first_not_of(kWhite) == std::string::npos) return {};
  return begin_without_header(held_);
}

ReasoningFinder::Found ReasoningFinder::push_to_header(const MarkFinder::Found& found) {
  if (found.mark && *found.mark >= kMessage) return end_header(*found.mark);
  bool may_be = true;
  for (const char c : found.text) {
    header_ += c;
    may_be = may_be && ChannelHeader::may_be(header_);
  }
  if (found.mark) header_ += marks_.mark(*found.mark);
  return may_be && ChannelHeader::may_be(header_) ? Found{} : begin_without_header(header_);
}

ReasoningFinder::Found ReasoningFinder::begin_without_header(std::string& text) {
  at_ = At::content;
  is_final_ = false;
  return release(text, true);
}

// Only <|message|> makes it one.
ReasoningFinder::Found ReasoningFinder::end_header(size_t mark) {
  const ChannelHeader header = ChannelHeader::read(header_);
  const bool is_text = mark != kMessage && !header_.empty();
  at_ = mark != kMessage ? At::open : header.is_reasoning() ? At::reasoning : At::content;
  is_final_ = mark == kMessage && header.channel == ChannelMarks::kFinal && header.recipient.empty();
  header_ += marks_.mark(mark);
  return release(header_, is_text);
}

ReasoningFinder::Found ReasoningFinder::flush() {
  held_ = std::exchange(header_, {}) + held_;
  if (format_.channels) held_ += marks_.flush();
  return release(held_, at_ != At::reasoning);
}

bool ReasoningFinder::begins_reasoning(std::string_view text) const {
  // No other channel's name begins with its first letter.
  if (format_.channels)
    return at_ == At::header && header_.ends_with(ChannelMarks::kChannel) &&
           text.starts_with(ChannelMarks::kReasoning.front());
  if (at_ != At::open || !text.contains(format_.think_begin.back())) return false;
  const std::string all = held_ + std::string(text);
  const size_t n_blank = std::min(all.find_first_not_of(kWhite), all.size());
  return std::string_view(all).substr(n_blank).starts_with(format_.think_begin);
}

}  // namespace ogas
