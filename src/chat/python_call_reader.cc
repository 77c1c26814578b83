// [f(a=1, b='x'), g()]: calls as Python writes them, each by its own reader. The first may follow the bracket that
// opens the list. Arguments are written at the end of the call.
#include <utility>

#include "chat/call_reader.h"
#include "chat/literal_reader.h"

namespace ogas {
namespace {

constexpr size_t kMaxKeyword = 256;  // bytes

class PythonCallReader : public CallReader {
 public:
  explicit PythonCallReader(const CallContext& context) : context_(context) {}

  CallState push(char c) override;
  bool is_whole() const override { return false; }

 private:
  enum class At { before_name, name, before_key, key, after_key, value, after_value };

  CallState in_name(char c);
  CallState in_key(char c);
  CallState begin_value();
  CallState in_value(char c);
  CallState after_value(char c);
  CallState finish();

  CallContext context_;
  At at_ = At::before_name;
  bool has_bracket_ = false;
  LiteralReader literal_;
  std::string name_, key_;
  std::string arguments_ = "{";
};

CallState PythonCallReader::push(char c) {
  switch (at_) {
    case At::name: return in_name(c);
    case At::key: return in_key(c);
    case At::value: return in_value(c);
    default: break;
  }
  if (is_blank(c)) return CallState::open;
  switch (at_) {
    case At::before_name:
      if (c == '[') return std::exchange(has_bracket_, true) ? CallState::broken : CallState::open;
      at_ = At::name;
      return in_name(c);
    case At::before_key:
      if (c == ')') return finish();
      at_ = At::key;
      return in_key(c);
    case At::after_key: return c == '=' ? begin_value() : CallState::broken;
    default: return after_value(c);
  }
}

CallState PythonCallReader::in_name(char c) {
  if (c == '(' && context_.tools.contains(name_)) {
    at_ = At::before_key;
    return CallState::open;
  }
  name_ += c;
  return context_.tools.has_prefix(name_) ? CallState::open : CallState::broken;
}

CallState PythonCallReader::in_key(char c) {
  if (c == '=' && !key_.empty()) return begin_value();
  if (is_blank(c)) {
    at_ = At::after_key;
    return CallState::open;
  }
  if (std::string_view("=()[]{},'\"").contains(c) || key_.size() == kMaxKeyword) return CallState::broken;
  key_ += c;
  return CallState::open;
}

CallState PythonCallReader::begin_value() {
  if (arguments_.size() > 1) arguments_ += ", ";
  arguments_ += quoted_json(std::exchange(key_, {})) + ": ";
  literal_ = LiteralReader();
  at_ = At::value;
  return CallState::open;
}

CallState PythonCallReader::in_value(char c) {
  const auto state = literal_.push(c);
  if (state == LiteralReader::State::broken) return CallState::broken;
  if (state == LiteralReader::State::more) return CallState::open;
  arguments_ += literal_.take();
  at_ = At::after_value;
  return state == LiteralReader::State::done_before ? push(c) : CallState::open;
}

CallState PythonCallReader::after_value(char c) {
  if (c == ')') return finish();
  if (c != ',') return CallState::broken;
  at_ = At::before_key;
  return CallState::open;
}

CallState PythonCallReader::finish() {
  context_.writer.begin_call(name_);
  context_.writer.arguments(arguments_ + "}");
  context_.writer.end_call();
  return CallState::done;
}

}  // namespace

std::unique_ptr<CallReader> make_python_call_reader(const CallContext& context) {
  return std::make_unique<PythonCallReader>(context);
}

}  // namespace ogas
