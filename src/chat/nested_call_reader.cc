// Calls whose arguments are trees of elements: <key>value</key>, where a value is text, further elements, or elements
// "item" for an array. A mark is before each tag, so that text may hold "<". Arguments are written at the end of the
// call.
#include <utility>
#include <vector>

#include "chat/argument_json.h"
#include "chat/call_reader.h"

namespace ogas {
namespace {

constexpr size_t kMaxElementDepth = 63;  // of JSON, with the object of the arguments: 64
constexpr size_t kMaxElementName = 256;  // bytes

struct Element {
  std::string name;
  JsonTypes types = 0;
  char closes = 0;  // '}' or ']'; 0: it has no elements so far
};

class NestedCallReader : public CallReader {
 public:
  NestedCallReader(const CallContext& context, CallBeginning beginning)
      : context_(context), tags_(context.format.tags), closes_call_(tags_.call_end.substr(tags_.value_end.size())) {
    if (beginning == CallBeginning::name_tag) at_ = At::name;
  }

  CallState push(char c) override;
  size_t n_unread() const override { return literal_.n_unread(); }
  bool is_whole() const override { return false; }

 private:
  enum class At { before_name, name, after_name, text, tag };

  CallState in_literal(char c, std::string_view literal, At next);
  CallState in_name(char c);
  CallState in_text(char c);
  CallState in_tag(char c);
  CallState open();
  CallState close();
  bool add_child(const std::string& name);
  CallState finish();
  // The mark before each tag.
  std::string_view space() const {
    return std::string_view(tags_.argument_begin).substr(0, tags_.argument_begin.size() - 1);
  }

  CallContext context_;
  const CallTags& tags_;
  std::string closes_call_;  // "invoke>"
  At at_ = At::before_name;
  LiteralMatch literal_;
  std::string name_, text_, tag_;
  std::vector<Element> open_ = {{.name = {}, .types = kObject, .closes = '}'}};
  std::string arguments_ = "{";
};

CallState NestedCallReader::push(char c) {
  switch (at_) {
    case At::before_name: return in_literal(c, tags_.name_begin, At::name);
    case At::name: return in_name(c);
    case At::after_name: return in_literal(c, tags_.name_end, At::text);
    case At::text: return in_text(c);
    case At::tag: break;
  }
  return in_tag(c);
}

CallState NestedCallReader::in_literal(char c, std::string_view literal, At next) {
  const auto state = literal_.push(c, {literal});
  if (state == LiteralMatch::State::failed) return CallState::broken;
  if (state == LiteralMatch::State::found) at_ = next;
  return CallState::open;
}

CallState NestedCallReader::in_name(char c) {
  if (c == tags_.name_end.front()) {
    at_ = At::after_name;
    return context_.tools.contains(name_) ? push(c) : CallState::broken;
  }
  name_ += c;
  return context_.tools.has_prefix(name_) ? CallState::open : CallState::broken;
}

CallState NestedCallReader::in_text(char c) {
  text_ += c;
  if (!text_.ends_with(space())) return CallState::open;
  text_.resize(text_.size() - space().size());
  at_ = At::tag;
  tag_.clear();
  return CallState::open;
}

CallState NestedCallReader::in_tag(char c) {
  tag_ += c;
  if (tag_.front() != '<' || tag_.size() > kMaxElementName) return CallState::broken;
  if (c != '>') return CallState::open;
  tag_.pop_back();
  tag_.erase(0, 1);
  at_ = At::text;
  const CallState state = tag_.starts_with('/') ? close() : open();
  text_.clear();
  return state;
}

// Text next to elements can only be white space.
CallState NestedCallReader::open() {
  if (text_.find_first_not_of(" \t\r\n") != std::string::npos) return CallState::broken;
  if (open_.size() > kMaxElementDepth || tag_.empty() || !add_child(tag_)) return CallState::broken;
  open_.push_back({.name = tag_, .types = open_.size() == 1 ? context_.tools.types_of(name_, tag_) : 0});
  return CallState::open;
}

// The first element decides whether its parent is an object or an array.
bool NestedCallReader::add_child(const std::string& name) {
  Element& parent = open_.back();
  const bool is_first = parent.closes == 0 || arguments_.ends_with('{');
  if (parent.closes == 0) {
    const bool is_array = name == "item" && (parent.types == 0 || (parent.types & kArray) != 0);
    parent.closes = is_array ? ']' : '}';
    arguments_ += is_array ? '[' : '{';
  }
  if (!is_first) arguments_ += ", ";
  if (parent.closes == ']') return name == "item";
  arguments_ += quoted_json(name) + ": ";
  return true;
}

CallState NestedCallReader::close() {
  const bool has_text = text_.find_first_not_of(" \t\r\n") != std::string::npos;
  const Element element = std::move(open_.back());
  open_.pop_back();
  if (open_.empty()) return tag_ + ">" == "/" + closes_call_ && !has_text ? finish() : CallState::broken;
  if (tag_ != "/" + element.name || (element.closes != 0 && has_text)) return CallState::broken;
  if (element.closes != 0) {
    arguments_ += element.closes;
  } else if (!has_text && element.types != 0 && (element.types & kString) == 0) {
    arguments_ += (element.types & kObject) != 0 ? "{}" : (element.types & kArray) != 0 ? "[]" : "null";
  } else {
    arguments_ += argument_json(text_, element.types);
  }
  return CallState::open;
}

CallState NestedCallReader::finish() {
  context_.writer.begin_call(name_);
  context_.writer.arguments(arguments_ + "}");
  context_.writer.end_call();
  return CallState::done;
}

}  // namespace

std::unique_ptr<CallReader> make_nested_call_reader(const CallContext& context, CallBeginning beginning) {
  return std::make_unique<NestedCallReader>(context, beginning);
}

}  // namespace ogas
