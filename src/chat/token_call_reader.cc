// Calls between control tokens: a header with the name, a JSON object, perhaps in a fenced block, and call_end.
#include <algorithm>
#include <utility>

#include "chat/call_reader.h"

namespace ogas {
namespace {

constexpr size_t kMaxCallHeader = 512;  // bytes; names of functions have up to 64
constexpr std::string_view kFence = "```";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// The name without the marks and the id next to it.
std::string_view without_id(std::string_view text, const OutputFormat& format) {
  const size_t begin = format.name_begin.empty() ? std::string_view::npos : text.find(format.name_begin);
  if (begin != std::string_view::npos) text.remove_prefix(begin + format.name_begin.size());
  const size_t id = format.id_begin.empty() ? std::string_view::npos : text.rfind(format.id_begin);
  return trimmed(text.substr(0, std::min(id, text.size())));
}

// The name in the text between call_begin and the object: `f SEPARATOR`, or `function SEPARATOR f` and a new line,
// perhaps with the beginning of a fenced block. "" for anything else.
std::string_view name_in_header(std::string_view header, const OutputFormat& format) {
  const size_t at = header.find(format.call_separator);
  if (at == std::string_view::npos) return {};
  const std::string_view after = trimmed(header.substr(at + format.call_separator.size()));
  if (after.empty()) return without_id(header.substr(0, at), format);
  const size_t line = std::min(after.find('\n'), after.size());
  const std::string_view rest = trimmed(after.substr(line));
  return rest.empty() || rest == "```json" || rest == kFence ? trimmed(after.substr(0, line)) : std::string_view();
}

class TokenCallReader : public CallReader {
 public:
  TokenCallReader(const CallContext& context, CallBeginning beginning)
      : context_(context),
        at_(beginning == CallBeginning::calls_begin ? At::before_call : At::header),
        stream_(context) {}

  CallState push(char c) override;
  size_t n_unread() const override { return at_ == At::header ? header_.size() : literal_.n_unread(); }
  bool is_whole() const override { return stream_.is_whole(); }
  bool wrote_last() const override { return stream_.wrote_last(); }
  void cut() override { stream_.cut(); }

 private:
  enum class At { before_call, header, arguments, after_arguments };

  CallState in_header(char c);
  CallState after_arguments(char c);

  CallContext context_;
  At at_;
  LiteralMatch literal_;
  std::string header_;
  ArgumentsStream stream_;
};

CallState TokenCallReader::push(char c) {
  switch (at_) {
    case At::before_call: {
      const auto state = literal_.push(c, {context_.format.call_begin});
      if (state == LiteralMatch::State::failed) return CallState::broken;
      if (state == LiteralMatch::State::found) at_ = At::header;
      return CallState::open;
    }
    case At::header: return in_header(c);
    case At::arguments: {
      const CallState state = stream_.push(c);
      if (state != CallState::done || context_.format.call_end.empty()) return state;
      at_ = At::after_arguments;
      return CallState::open;
    }
    case At::after_arguments: break;
  }
  return after_arguments(c);
}

CallState TokenCallReader::in_header(char c) {
  if (c != '{') {
    if (header_.size() == kMaxCallHeader) return CallState::broken;
    header_ += c;
    return CallState::open;
  }
  const std::string name(name_in_header(header_, context_.format));
  if (!context_.tools.contains(name)) return CallState::broken;
  at_ = At::arguments;
  stream_.begin(name);
  return stream_.push(c);
}

CallState TokenCallReader::after_arguments(char c) {
  const auto state = literal_.push(c, {context_.format.call_end, kFence});
  if (state == LiteralMatch::State::failed) return CallState::broken;
  return state == LiteralMatch::State::found && literal_.found() == 0 ? CallState::done : CallState::open;
}

}  // namespace

std::unique_ptr<CallReader> make_token_call_reader(const CallContext& context, CallBeginning beginning) {
  return std::make_unique<TokenCallReader>(context, beginning);
}

}  // namespace ogas
