// Calls whose arguments are in tags, each value unescaped: <parameter=key>value</parameter>, or
// <arg_key>key</arg_key><arg_value>value</arg_value>. A value may itself hold any of the tags. So it ends at a closing
// tag only if another argument or the end of the call follows. Arguments are written at the end of the call.
#include <utility>

#include "chat/call_reader.h"

namespace ogas {
namespace {

struct Tags {
  std::string_view name_begin;  // "": the name has no tag, and ends at white space or a tag
  std::string_view argument_begin, key_end, value_begin, value_end, call_end;
};

Tags tags_of(const OutputFormat& format) {
  if (format.call_syntax == CallSyntax::function_tags)
    return {kFunctionTag, "<parameter=", ">", "", "</parameter>", "</function>"};
  return {"", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", format.call_end};
}

std::string_view without_trailing_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

JsonTypes type_of_json(char first) {
  switch (first) {
    case '"': return kString;
    case '{': return kObject;
    case '[': return kArray;
    case 't':
    case 'f': return kBoolean;
    case 'n': return kNull;
    default: return kNumber;
  }
}

// Templates in Python write these so.
std::string_view python_word_as_json(std::string_view text) {
  return text == "True" ? "true" : text == "False" ? "false" : text == "None" ? "null" : text;
}

// A value as JSON. Where a string is allowed, the value is one, quotation marks and all, unless it is JSON of another
// type that is allowed, too. Without types (0) it may be of any type.
std::string argument_json(std::string_view text, JsonTypes types) {
  const std::string json = whole_json(types != 0 ? python_word_as_json(without_trailing_blanks(text)) : text);
  if (json.empty()) return quoted_json(text);
  const JsonTypes type = type_of_json(json.front());
  const bool is_string = type == kString;
  const bool taken = types == 0 ? !is_string : (types & kString) == 0 || (!is_string && (types & type) != 0);
  return taken ? json : quoted_json(text);
}

class TaggedCallReader : public CallReader {
 public:
  TaggedCallReader(const CallContext& context, bool after_function_tag)
      : context_(context), tags_(tags_of(context.format)) {
    if (after_function_tag || tags_.name_begin.empty()) at_ = At::name;
  }

  CallState push(char c) override;
  size_t n_unread() const override { return literal_.n_unread(); }
  bool is_whole() const override { return false; }

 private:
  enum class At { before_name, name, between, key, before_value, value };

  CallState in_name(char c);
  CallState between(char c);
  CallState in_key(char c);
  CallState before_value(char c);
  CallState in_value(char c);
  bool end_value(std::string_view next);
  void add_argument(std::string_view value);
  CallState finish();

  CallContext context_;
  Tags tags_;
  At at_ = At::before_name;
  LiteralMatch literal_;
  std::string name_, key_, value_;
  std::string arguments_ = "{";
};

CallState TaggedCallReader::push(char c) {
  switch (at_) {
    case At::before_name: {
      const auto state = literal_.push(c, {tags_.name_begin});
      if (state == LiteralMatch::State::failed) return CallState::broken;
      if (state == LiteralMatch::State::found) at_ = At::name;
      return CallState::open;
    }
    case At::name: return in_name(c);
    case At::between: return between(c);
    case At::key: return in_key(c);
    case At::before_value: return before_value(c);
    case At::value: break;
  }
  return in_value(c);
}

CallState TaggedCallReader::in_name(char c) {
  const bool stands_alone = tags_.name_begin.empty();
  if (name_.empty() && is_blank(c)) return CallState::open;
  if (stands_alone ? is_blank(c) || c == '<' : c == '>') {
    if (!context_.tools.contains(name_)) return CallState::broken;
    at_ = At::between;
    return stands_alone ? between(c) : CallState::open;
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
  at_ = tags_.value_begin.empty() ? At::value : At::before_value;
  return CallState::open;
}

CallState TaggedCallReader::before_value(char c) {
  const auto state = literal_.push(c, {tags_.value_begin});
  if (state == LiteralMatch::State::failed) return CallState::broken;
  if (state == LiteralMatch::State::found) at_ = At::value;
  return CallState::open;
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
  add_argument(value.substr(0, value.size() - tags_.value_end.size()));
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
  arguments_ += argument_json(value, context_.tools.types_of(name_, key_));
}

CallState TaggedCallReader::finish() {
  context_.writer.begin_call(name_);
  context_.writer.arguments(arguments_ + "}");
  context_.writer.end_call();
  return CallState::done;
}

}  // namespace

std::unique_ptr<CallReader> make_tagged_call_reader(const CallContext& context, bool after_function_tag) {
  return std::make_unique<TaggedCallReader>(context, after_function_tag);
}

}  // namespace ogas
