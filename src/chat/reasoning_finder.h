// Finds the reasoning in an answer's text as it comes, where an OutputParser finds it: for those who need to know where
// it is, and not what it says. (It takes every mark that ends a call for the end of one.)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/mark_finder.h"
#include "chat/output_format.h"

namespace ogas {

class ReasoningFinder {
 public:
  enum class At : uint8_t {
    open,       // only white space since the beginning, a block, or a call: a block may begin
    reasoning,  // in a block, or in a message on the channel of reasoning
    header,     // of a message in channels
    content,    // all else
  };
  explicit ReasoningFinder(OutputFormat format, At at = At::open);

  struct Found {
    std::string_view text;  // as far as it is certain; valid until the next call
    bool is_content;        // else it is reasoning, a mark, a header, or new lines next to a mark
  };
  Found push(char c);
  // What was held back, at the end of the answer. Valid until the next call.
  Found flush();

  At at() const { return at_; }
  // Whether content is the last that comes: without channels any, with them the message on the channel "final".
  bool is_final() const { return at_ == At::content && is_final_; }
  // Whether this text, if it comes next, begins reasoning.
  bool begins_reasoning(std::string_view text) const;
  // Of a message, as far as it has come.
  const std::string& header() const { return header_; }

 private:
  Found push_open(char c);
  Found push_to_message(char c);
  Found push_to_header(const MarkFinder::Found& found);
  Found begin_without_header(std::string& text);
  Found end_header(size_t mark);
  Found release(std::string& text, bool is_content);

  OutputFormat format_;
  At at_;
  bool is_final_;
  MarkFinder marks_;  // of channels; else those that end what is not content
  std::string header_;
  std::string held_;   // at At::open: blanks, and what may become a mark
  std::string shown_;  // what was returned last
};

}  // namespace ogas
