// {"name": "f", "arguments": {...}} or {"name": "f", "parameters": {...}}, members in any order, or {"f": {...}}. The
// first object may follow the bracket that opens a list.
#include <utility>

#include "chat/call_reader.h"

namespace ogas {
namespace {

class JsonCallReader : public CallReader {
 public:
  explicit JsonCallReader(const CallContext& context) : context_(context), stream_(context) {}

  CallState push(char c) override;
  bool is_whole() const override { return written_ || stream_.is_whole(); }
  bool wrote_last() const override { return stream_.wrote_last(); }
  void cut() override { stream_.cut(); }

 private:
  enum class At { object, first_key, colon, value, after_value, next_key, in_key, in_value, in_arguments };

  CallState scan(char c);
  CallState begin_value(char c);
  CallState stream(char c);
  bool end_key();
  bool end_value();
  CallState finish();
  bool is_by_name() const { return context_.format.call_syntax == CallSyntax::json_by_name; }
  bool is_name() const { return !is_by_name() && key_ == context_.format.name_key; }
  bool is_arguments() const { return is_by_name() || key_ == "arguments" || key_ == "parameters"; }
  bool takes_bracket(char c);

  CallContext context_;
  At at_ = At::object;
  JsonScanner scanner_;
  std::string token_;  // the key or value in scanner_
  std::string key_, name_, arguments_;
  ArgumentsStream stream_;
  bool has_arguments_ = false, streams_ = false, written_ = false, has_bracket_ = false;
};

CallState JsonCallReader::push(char c) {
  if (at_ == At::in_arguments) return stream(c);
  if (at_ == At::in_key || at_ == At::in_value) return scan(c);
  if (is_blank(c)) return CallState::open;
  const auto expect = [&](char expected, At next) {
    if (c == expected) at_ = next;
    return c == expected ? CallState::open : CallState::broken;
  };
  switch (at_) {
    case At::object: return takes_bracket(c) ? CallState::open : expect('{', At::first_key);
    case At::colon: return expect(':', At::value);
    case At::value: return begin_value(c);
    case At::after_value: return c == '}' ? finish() : expect(',', At::next_key);
    case At::first_key:
    case At::next_key:
      if (c != '"') return CallState::broken;
      at_ = At::in_key;
      scanner_ = {};
      return scan(c);
    default: return CallState::broken;
  }
}

bool JsonCallReader::takes_bracket(char c) {
  const CallSyntax syntax = context_.format.call_syntax;
  const bool is_list = syntax == CallSyntax::json_list || syntax == CallSyntax::json_by_name;
  return c == '[' && is_list && !std::exchange(has_bracket_, true);
}

CallState JsonCallReader::begin_value(char c) {
  if (is_arguments() && !name_.empty() && c == '{') {
    streams_ = true;
    at_ = At::in_arguments;
    stream_.begin(name_);
    return stream(c);
  }
  at_ = At::in_value;
  scanner_ = {};
  return scan(c);
}

CallState JsonCallReader::stream(char c) {
  const CallState state = stream_.push(c);
  if (state != CallState::done) return state;
  at_ = At::after_value;
  return CallState::open;
}

CallState JsonCallReader::scan(char c) {
  const auto state = scanner_.push(c);
  token_ += scanner_.take();
  if (state == JsonScanner::State::broken) return CallState::broken;
  if (state == JsonScanner::State::more) return CallState::open;
  const bool good = at_ == At::in_key ? end_key() : end_value();
  token_.clear();
  if (!good) return CallState::broken;
  return state == JsonScanner::State::done_before ? push(c) : CallState::open;
}

// A bare object may be the answer itself rather than a call: the sooner that is certain, the sooner it is shown.
bool JsonCallReader::end_key() {
  key_ = unquoted_json(token_);
  at_ = At::colon;
  if (is_by_name()) {
    name_ = key_;
    return context_.tools.contains(name_) && !std::exchange(has_arguments_, true);
  }
  if (is_name()) return name_.empty();
  if (is_arguments()) return !std::exchange(has_arguments_, true);
  return context_.format.call_syntax != CallSyntax::bare_json || key_ == "type" || key_ == "id";
}

bool JsonCallReader::end_value() {
  at_ = At::after_value;
  if (is_arguments()) arguments_ = std::exchange(token_, {});
  if (!is_name()) return true;
  name_ = unquoted_json(token_);
  return context_.tools.contains(name_);
}

// Arguments that were not streamed: they came before the name, are missing, or are an object within a string.
CallState JsonCallReader::finish() {
  if (streams_) return CallState::done;
  if (name_.empty()) return CallState::broken;
  if (arguments_.starts_with('"'))
    arguments_ = whole_json(unquoted_json(arguments_));
  else if (arguments_.empty() || arguments_ == "null")
    arguments_ = "{}";
  if (!arguments_.starts_with('{')) return CallState::broken;
  context_.writer.begin_call(name_);
  context_.writer.arguments(arguments_);
  context_.writer.end_call();
  written_ = true;
  return CallState::done;
}

}  // namespace

std::unique_ptr<CallReader> make_json_call_reader(const CallContext& context) {
  return std::make_unique<JsonCallReader>(context);
}

}  // namespace ogas
