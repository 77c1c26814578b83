// The header of a message in channels: "<|start|>assistant to=functions.f<|channel|>commentary <|constrain|>json".
#pragma once

#include <algorithm>
#include <string_view>

#include "chat/output_format.h"

namespace ogas {

// In the order of marks_of(): those of headers, the one that ends a header, those that end a message.
enum ChannelMark : size_t { kStart, kChannel, kConstrain, kMessage, kEnd, kCall, kReturn };

inline constexpr size_t kMaxChannelHeader = 512;  // bytes; they have about 60, and names of functions up to 64

struct ChannelHeader {
  std::string_view channel, recipient;  // empty where it names none; the recipient without `functions.`

  // text: without the mark that ends it, which it must outlive.
  static ChannelHeader read(std::string_view text) {
    ChannelHeader header{word_after(text, ChannelMarks::kChannel), word_after(text, kTo)};
    constexpr std::string_view kNamespace = ChannelMarks::kNamespace;
    if (header.recipient.starts_with(kNamespace) && header.recipient != kNamespace)
      header.recipient.remove_prefix(kNamespace.size());
    return header;
  }
  // Whether a text that has come so far may be one.
  static bool may_be(std::string_view text) {
    const std::string_view begun = text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    return (begun.starts_with("<|") || begun.starts_with(kTo) || kTo.starts_with(begun)) &&
           text.size() <= kMaxChannelHeader;
  }
  bool is_reasoning() const { return channel == ChannelMarks::kReasoning && recipient.empty(); }

 private:
  static constexpr std::string_view kTo = "to=";

  // The word after the last `mark`.
  static std::string_view word_after(std::string_view text, std::string_view mark) {
    const size_t at = text.rfind(mark);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = text.substr(at + mark.size());
    return rest.substr(0, std::min(rest.find_first_of(" \t\r\n<"), rest.size()));
  }
};

}  // namespace ogas
