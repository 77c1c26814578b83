// Calls whose arguments are in tags, each value unescaped: <parameter=key>value</parameter>,
// <arg_key>key</arg_key><arg_value>value</arg_value>, and so on. A value may itself hold any of the tags. So it ends at
// a closing tag only if another argument or the end of the call follows. Arguments are written at the end of the call.
#include <utility>

#include "chat/argument_json.h"
#include "chat/call_reader.h"

namespace ogas {
namespace {

std::string_view without_trailing_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

constexpr size_t kMaxWord = 32;  // bytes of a type or number in a tag; they have up to 7

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

class TaggedCallReader : public CallReader {
 public:
  TaggedCallReader(const CallContext& context, CallBeginning beginning)
      : context_(context), tags_(context.format.tags) {
    if (beginning == CallBeginning::calls_begin && !context.format.call_begin.empty()) {
      expect(context.format.call_begin, At::name);
    } else if (beginning == CallBeginning::name_tag || tags_.name_begin.empty()) {
      at_ = At::name;
    } else {
      expect(tags_.name_begin, At::name);
    }
  }

  CallState push(char c) override;
  size_t n_unread() const override { return literal_.n_unread(); }
  bool is_whole() const override { return false; }

 private:
  enum class At { literal, word, name, between, key, value };

  void expect(std::string_view mark, At next);
  CallState in_literal(char c);
  CallState in_word(char c);
  CallState in_name(char c);
  CallState between(char c);
  CallState in_key(char c);
  void end_key();
  CallState in_value(char c);
  bool end_value(std::string_view next);
  void add_argument(std::string_view value);
  std::string value_json(std::string_view value) const;
  CallState finish();

  CallContext context_;
  const CallTags& tags_;
  At at_ = At::literal;
  std::string_view expected_;  // the mark that is next, perhaps after a word
  At after_expected_ = At::name;
  LiteralMatch literal_;
  std::string word_;
  std::string name_, key_, value_;
  std::string arguments_ = "{";
};

CallState TaggedCallReader::push(char c) {
  switch (at_) {
    case At::literal: return in_literal(c);
    case At::word: return in_word(c);
    case At::name: return in_name(c);
    case At::between: return between(c);
    case At::key: return in_key(c);
    case At::value: break;
  }
  return in_value(c);
}

void TaggedCallReader::expect(std::string_view mark, At next) {
  at_ = At::literal;
  expected_ = mark;
  after_expected_ = next;
}

CallState TaggedCallReader::in_literal(char c) {
  const auto state = literal_.push(c, {expected_});
  if (state == LiteralMatch::State::failed) return CallState::broken;
  if (state == LiteralMatch::State::open) return CallState::open;
  at_ = after_expected_;
  // The name may be followed by its number.
  if (expected_ == tags_.name_end && !tags_.head_end.empty()) {
    expect(tags_.head_end, At::between);
    at_ = At::word;
  }
  return CallState::open;
}

CallState TaggedCallReader::in_word(char c) {
  if (is_word(c) && word_.size() < kMaxWord) {
    word_ += c;
    return CallState::open;
  }
  at_ = At::literal;
  return in_literal(c);
}

CallState TaggedCallReader::in_name(char c) {
  const bool ends_at_tag = tags_.name_end.empty() || tags_.name_end.starts_with('<');
  if (name_.empty() && is_blank(c)) return CallState::open;
  if (ends_at_tag ? is_blank(c) || c == '<' : c == tags_.name_end.front()) {
    if (!context_.tools.contains(name_)) return CallState::broken;
    if (tags_.name_end.empty()) {
      at_ = At::between;
      return between(c);
    }
    expect(tags_.name_end, At::between);
    return in_literal(c);
  }
  name_ += c;
  return context_.tools.has_prefix(name_) ? CallState::open : CallState::broken;
}

CallState TaggedCallReader::between(char c) {
  const auto state = literal_.push(c, {tags_.argument_begin, tags_.call_end});
  if (state == LiteralMatch::State::failed) return CallState::broken;
  if (state == LiteralMatch::State::open) return CallState::open;
  if (literal_.found() == 1) return finish();
  at_ = At::key;
  return CallState::open;
}

CallState TaggedCallReader::in_key(char c) {
  if (c == '\n') return CallState::broken;
  key_ += c;
  if (!key_.ends_with(tags_.key_end)) return CallState::open;
  key_.resize(key_.size() - tags_.key_end.size());
  end_key();
  return CallState::open;
}

void TaggedCallReader::end_key() {
  if (tags_.escapes_keys) {
    replace_all(key_, "&quot;", "\"");
    replace_all(key_, "&amp;", "&");
  }
  at_ = At::value;
  if (tags_.value_begin.empty()) return;
  expect(tags_.value_begin, At::value);
  word_.clear();
  if (tags_.types != CallTags::Types::none) at_ = At::word;
}

CallState TaggedCallReader::in_value(char c) {
  value_ += c;
  if (end_value(tags_.argument_begin)) {
    at_ = At::key;
  } else if (end_value(tags_.call_end)) {
    return finish();
  }
  return CallState::open;
}

// Whether `next` was read just now and ends the value. The white space that is looked through belongs to this `next`
// alone, so that the time stays linear.
bool TaggedCallReader::end_value(std::string_view next) {
  if (!value_.ends_with(next)) return false;
  std::string_view value = value_;
  value = without_trailing_blanks(value.substr(0, value.size() - next.size()));
  if (!value.ends_with(tags_.value_end)) return false;
  value.remove_suffix(tags_.value_end.size());
  const bool is_raw = !tags_.raw_begin.empty() && value.starts_with(tags_.raw_begin);
  if (is_raw && !value.ends_with(tags_.raw_end)) return false;
  add_argument(value);
  key_.clear();
  value_.clear();
  return true;
}

void TaggedCallReader::add_argument(std::string_view value) {
  if (context_.format.values_on_lines) {
    if (value.starts_with('\n')) value.remove_prefix(1);
    if (value.ends_with('\n')) value.remove_suffix(1);
  }
  if (arguments_.size() > 1) arguments_ += ", ";
  arguments_ += quoted_json(key_);
  arguments_ += ": ";
  arguments_ += value_json(value);
}

std::string TaggedCallReader::value_json(std::string_view value) const {
  const JsonTypes types = context_.tools.types_of(name_, key_);
  if (!tags_.raw_begin.empty() && value.starts_with(tags_.raw_begin)) {
    value.remove_prefix(tags_.raw_begin.size());
    value.remove_suffix(tags_.raw_end.size());
    return (types & kString) != 0 || types == 0 ? quoted_json(value) : argument_json(value, types);
  }
  if (tags_.types == CallTags::Types::none) return argument_json(value, types);
  if (word_ == (tags_.types == CallTags::Types::json ? "string" : "true")) return quoted_json(value);
  const std::string json = whole_json(value);
  return json.empty() ? argument_json(value, types) : json;
}

CallState TaggedCallReader::finish() {
  context_.writer.begin_call(name_);
  context_.writer.arguments(arguments_ + "}");
  context_.writer.end_call();
  return CallState::done;
}

}  // namespace

std::unique_ptr<CallReader> make_tagged_call_reader(const CallContext& context, CallBeginning beginning) {
  return std::make_unique<TaggedCallReader>(context, beginning);
}

}  // namespace ogas
