#include "chat/call_reader.h"

#include <utility>

#include "base/check.h"

namespace ogas {

std::unique_ptr<CallReader> make_call_reader(const CallContext& context, CallBeginning beginning) {
  switch (context.format.call_syntax) {
    case CallSyntax::json:
    case CallSyntax::bare_json:
    case CallSyntax::json_list:
    case CallSyntax::json_by_name: return make_json_call_reader(context);
    case CallSyntax::function_tags:
    case CallSyntax::argument_tags:
    case CallSyntax::attribute_tags: return make_tagged_call_reader(context, beginning);
    case CallSyntax::nested_tags: return make_nested_call_reader(context, beginning);
    case CallSyntax::call_tokens: return make_token_call_reader(context, beginning);
    case CallSyntax::python_calls: return make_python_call_reader(context);
    case CallSyntax::brace_calls: return make_brace_call_reader(context);
    case CallSyntax::none: break;
  }
  OGAS_CHECK(false, "a call in a format without calls");
  return nullptr;
}

CallState ArgumentsStream::push(char c) {
  if (!begun_ && c != '{') return CallState::broken;
  const auto state = scanner_.push(c);
  if (state == JsonScanner::State::broken) return CallState::broken;
  begun_ = true;
  whole_ = state == JsonScanner::State::done;
  if (whole_ || delivery_ == CallDelivery::streamed) write();
  if (whole_) writer_.end_call();
  return whole_ ? CallState::done : CallState::open;
}

void ArgumentsStream::write() {
  if (!std::exchange(written_, true)) writer_.begin_call(std::move(name_));
  writer_.arguments(scanner_.take());
}

void ArgumentsStream::cut() {
  if (written_ && !whole_) writer_.arguments(scanner_.take_all());
}

LiteralMatch::State LiteralMatch::push(char c, std::initializer_list<std::string_view> literals) {
  if (partial_.empty() && is_blank(c)) return State::open;
  partial_ += c;
  bool possible = false;
  size_t i = 0;
  for (const std::string_view literal : literals) {
    if (literal == partial_) {
      found_ = i;
      partial_.clear();
      return State::found;
    }
    possible = possible || literal.starts_with(partial_);
    ++i;
  }
  if (possible) return State::open;
  partial_.pop_back();  // the byte itself is not read
  return State::failed;
}

}  // namespace ogas
