// call:f{a:1,b:MARKxMARK}: keys without quotation marks, strings between marks. Arguments are written at the end of the
// call.
#include <utility>

#include "chat/call_reader.h"
#include "chat/literal_reader.h"

namespace ogas {
namespace {

class BraceCallReader : public CallReader {
 public:
  explicit BraceCallReader(const CallContext& context) : context_(context), arguments_(context.format.string_mark) {}

  CallState push(char c) override {
    switch (at_) {
      case At::word: return in_word(c);
      case At::name: return in_name(c);
      case At::arguments: break;
    }
    return in_arguments(c);
  }
  size_t n_unread() const override { return literal_.n_unread(); }
  bool is_whole() const override { return false; }

 private:
  enum class At { word, name, arguments };

  CallState in_word(char c);
  CallState in_name(char c);
  CallState in_arguments(char c);

  CallContext context_;
  At at_ = At::word;
  LiteralMatch literal_;
  std::string name_;
  LiteralReader arguments_;
};

CallState BraceCallReader::in_word(char c) {
  const auto state = literal_.push(c, {"call:"});
  if (state == LiteralMatch::State::failed) return CallState::broken;
  if (state == LiteralMatch::State::found) at_ = At::name;
  return CallState::open;
}

CallState BraceCallReader::in_name(char c) {
  if (c == '{') {
    if (!context_.tools.contains(name_)) return CallState::broken;
    at_ = At::arguments;
    return in_arguments(c);
  }
  name_ += c;
  return context_.tools.has_prefix(name_) ? CallState::open : CallState::broken;
}

CallState BraceCallReader::in_arguments(char c) {
  const auto state = arguments_.push(c);
  if (state == LiteralReader::State::more) return CallState::open;
  if (state != LiteralReader::State::done) return CallState::broken;
  context_.writer.begin_call(name_);
  context_.writer.arguments(arguments_.take());
  context_.writer.end_call();
  return CallState::done;
}

}  // namespace

std::unique_ptr<CallReader> make_brace_call_reader(const CallContext& context) {
  return std::make_unique<BraceCallReader>(context);
}

}  // namespace ogas
